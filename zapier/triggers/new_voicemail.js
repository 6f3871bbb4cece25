'use strict';

const { mediaTrigger } = require('../recordings');

module.exports = mediaTrigger({
  key: 'new_voicemail',
  noun: 'Voicemail',
  description: 'Triggers when a caller has left a voicemail; the audio comes with it.',
  type: 'voicemail',
  sample: {
    id: '6d739560-1741-11ed-861d-0242ac120002',
    thread_id: '54144414-9e16-49de-8830-b2475a8dc7ea',
    to: '5010',
    from: '+19203833100',
    to_name: 'Dade Murphy',
    from_name: 'Clearly IP',
    type: 'voicemail',
    filename: 'voicemail_2024-07-19 00:00:00 -0500_from:15053430650_to:5012-508_116612489.mp3',
    content_type: 'audio/mpeg',
    attachments:
      'https://spoke.example.com/api/media/download/ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9?expires=1721507312&signature=541444149e1649de8830b2475',
  },
});
