'use strict';

const { version: platformVersion } = require('zapier-platform-core');

const { version } = require('./package.json');
const { authentication, addKey, explainRefusal } = require('./authentication');
const { downloadRecording } = require('./recordings');
const callEvent = require('./triggers/call_event');
const newRecording = require('./triggers/new_recording');
const newVoicemail = require('./triggers/new_voicemail');

module.exports = {
  version,
  platformVersion,
  authentication,
  beforeRequest: [addKey],
  afterResponse: [explainRefusal],
  hydrators: { downloadRecording },
  triggers: {
    [callEvent.key]: callEvent,
    [newVoicemail.key]: newVoicemail,
    [newRecording.key]: newRecording,
  },
};
