'use strict';

const { addressOf } = require('./authentication');

const ACCEPTED_LOSS = [404, 410]; // it is gone already, which is what was wanted

/** What every event begins with, and what it is like in the samples. */
const EVENT_FIELDS = [
  { key: 'id', label: 'Event ID', type: 'string', primary: true },
  { key: 'thread_id', label: 'Call ID', type: 'string' },
  { key: 'to', label: 'To', type: 'string' },
  { key: 'from', label: 'From', type: 'string' },
  { key: 'to_name', label: 'To (name)', type: 'string' },
  { key: 'from_name', label: 'From (name)', type: 'string' },
];
const EVENT_SAMPLE = {
  id: '6d739560-1741-11ed-861d-0242ac120002',
  thread_id: '54144414-9e16-49de-8830-b2475a8dc7ea',
  to: '5010',
  from: '+19203833100',
  to_name: 'Dade Murphy',
  from_name: 'Clearly IP',
};

const asList = (value) => (value ? [].concat(value) : []);

/** Adds a webhook at the location of the key. What is returned is kept as `bundle.subscribeData`. */
const subscribeTo = (kind, types, noun) => async (z, bundle) => {
  const zap = bundle.meta && bundle.meta.zap && bundle.meta.zap.id;
  const response = await z.request({
    method: 'POST',
    url: `${addressOf(bundle)}/api/webhooks`,
    body: {
      kind,
      types: types || asList(bundle.inputData.types),
      statuses: kind === 'call' ? asList(bundle.inputData.statuses) : [],
      url: bundle.targetUrl,
      description: zap ? `${noun}, Zap ${zap}` : noun,
    },
  });
  const { id, location, created_at } = response.data; // not the secret: nothing here verifies by it
  return { id, location, created_at };
};

/** Deletes the webhook again. */
const unsubscribe = async (z, bundle) => {
  const response = await z.request({
    method: 'DELETE',
    url: `${addressOf(bundle)}/api/webhooks/${bundle.subscribeData.id}`,
    skipThrowForStatus: true,
  });
  if (!ACCEPTED_LOSS.includes(response.status)) {
    response.throwForStatus();
  }
  return { id: bundle.subscribeData.id };
};

/** Recent events as the hook would bring them, newest first. `fits`: which of them. */
const recent = async (z, bundle, params, fits = () => true) => {
  const response = await z.request({
    url: `${addressOf(bundle)}/api/events`,
    params: { limit: 100, ...params },
  });
  return response.data.filter(fits);
};

module.exports = { EVENT_FIELDS, EVENT_SAMPLE, asList, recent, subscribeTo, unsubscribe };
