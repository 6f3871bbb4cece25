'use strict';

const { recent, subscribeTo, unsubscribe } = require('./hooks');

const LONGEST_NAME = 900; // of a file's name, encoded: Zapier takes 1,000

/** The file's name, or another where it is missing or too long. */
const nameFor = (filename) =>
  filename && encodeURIComponent(filename).length <= LONGEST_NAME ? filename : 'recording.mp3';

/** Fetched when a step of the Zap uses it: the link needs no key, and lives 24 hours. */
const downloadRecording = async (z, bundle) => {
  const { url, filename } = bundle.inputData;
  const response = z.request({ url, raw: true });
  return z.stashFile(response, undefined, nameFor(filename), 'audio/mpeg');
};

/** The event, and beside it the audio as a file of Zapier's; null where there is none. */
const withFile = (z) => (event) => ({
  ...event,
  file: event.attachments
    ? z.dehydrateFile(downloadRecording, { url: event.attachments, filename: event.filename })
    : null,
});

const outputFields = [
  { key: 'id', label: 'Event ID', type: 'string', primary: true },
  { key: 'thread_id', label: 'Call ID', type: 'string' },
  { key: 'to', label: 'To', type: 'string' },
  { key: 'from', label: 'From', type: 'string' },
  { key: 'to_name', label: 'To (name)', type: 'string' },
  { key: 'from_name', label: 'From (name)', type: 'string' },
  { key: 'type', label: 'Media type', type: 'string', primary: true },
  { key: 'filename', label: 'File name', type: 'string' },
  { key: 'content_type', label: 'Content type', type: 'string' },
  { key: 'attachments', label: 'Download link (24 hours)', type: 'string' },
  { key: 'file', label: 'Recording', type: 'file' },
];

/** A trigger of one media type. `sample` is what a receiver gets, without the file. */
const mediaTrigger = ({ key, noun, description, type, sample }) => ({
  key,
  noun,
  display: { label: `New ${noun}`, description },
  operation: {
    type: 'hook',
    performSubscribe: subscribeTo('media', [type], `New ${noun}`),
    performUnsubscribe: unsubscribe,
    perform: (z, bundle) => [bundle.cleanedRequest].map(withFile(z)),
    performList: async (z, bundle) => (await recent(z, bundle, { type })).map(withFile(z)),
    sample: { ...sample, file: sample.attachments },
    outputFields,
  },
});

module.exports = { downloadRecording, mediaTrigger };
