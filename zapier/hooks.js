'use strict';

const { addressOf } = require('./authentication');

const ACCEPTED_LOSS = [404, 410]; // it is gone already, which is what was wanted

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

module.exports = { asList, recent, subscribeTo, unsubscribe };
