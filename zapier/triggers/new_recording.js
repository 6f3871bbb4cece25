'use strict';

const { mediaTrigger } = require('../recordings');

module.exports = mediaTrigger({
  key: 'new_recording',
  noun: 'Call Recording',
  description: 'Triggers when the recording of a call is there; the audio comes with it.',
  type: 'call_recording',
  filename: 'recording_2024-07-19 00:00:00 -0500_from:15053430650_to:5012-508_116612489.mp3',
});
