'use strict';

const { mediaTrigger } = require('../recordings');

module.exports = mediaTrigger({
  key: 'new_voicemail',
  noun: 'Voicemail',
  description: 'Triggers when a caller has left a voicemail; the audio comes with it.',
  type: 'voicemail',
  filename: 'voicemail_2024-07-19 00:00:00 -0500_from:15053430650_to:5012-508_116612489.mp3',
});
