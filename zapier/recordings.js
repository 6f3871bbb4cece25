'use strict';

const { EVENT_FIELDS, EVENT_SAMPLE, recent, subscribeTo, unsubscribe } = require('./hooks');

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
  ...EVENT_FIELDS,
  { key: 'type', label: 'Media type', type: 'string', primary: true },
  { key: 'filename', label: 'File name', type: 'string' },
  { key: 'content_type', label: 'Content type', type: 'string' },
  { key: 'attachments', label: 'Download link (24 hours)', type: 'string' },
  { key: 'file', label: 'Recording', type: 'file' },
];

/** What a receiver gets of a file with this name, and the file. */
const sampleOf = (type, filename) => {
  const attachments =
    'https://spoke.example.com/api/media/download/ad1c5ba3-9f9b-454d-b4b1-cfb592bb8fd9?expires=1721507312&signature=541444149e1649de8830b2475';
  return { ...EVENT_SAMPLE, type, filename, content_type: 'audio/mpeg', attachments, file: attachments };
};

/** A trigger of one media type. `filename`: of the sample. */
const mediaTrigger = ({ key, noun, description, type, filename }) => ({
  key,
  noun,
  display: { label: `New ${noun}`, description },
  operation: {
    type: 'hook',
    performSubscribe: subscribeTo('media', [type], `New ${noun}`),
    performUnsubscribe: unsubscribe,
    perform: (z, bundle) => [bundle.cleanedRequest].map(withFile(z)),
    performList: async (z, bundle) => (await recent(z, bundle, { type })).map(withFile(z)),
    sample: sampleOf(type, filename),
    outputFields,
  },
});

module.exports = { downloadRecording, mediaTrigger };
