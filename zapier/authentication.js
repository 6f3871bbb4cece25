'use strict';

/** The appliance's address as the person gave it, without a slash at its end. */
const addressOf = (bundle) => String(bundle.authData.address || '').trim().replace(/\/+$/, '');

/** Answers `{account, key, version}`, which the connection's label is made of. */
const test = async (z, bundle) => (await z.request({ url: `${addressOf(bundle)}/api/me` })).data;

/** Only what goes to the API gets the key: a recording's link is signed, and may lead elsewhere. */
const addKey = (request, z, bundle) => {
  if (request.url.startsWith(`${addressOf(bundle)}/api/`) && !request.url.includes('/api/media/')) {
    request.headers.Authorization = `Bearer ${bundle.authData.api_key}`;
  }
  return request;
};

/** The appliance says in a sentence what is wrong: a problem document (RFC 9457). */
const explainRefusal = (response, z) => {
  if (response.status < 400 || response.status === 429 || response.skipThrowForStatus) {
    return response; // of 429 the platform makes a pause, by Retry-After
  }
  if (response.status === 401) {
    throw new z.errors.Error(
      'The appliance does not know this API key. Make a new one there: Manage Zapier, Make a new key.',
      'AuthenticationError',
      401,
    );
  }
  const detail = response.data && response.data.detail;
  if (detail) {
    throw new z.errors.Error(`The appliance answered: ${detail}`, 'Refused', response.status);
  }
  return response;
};

module.exports = {
  addressOf,
  addKey,
  explainRefusal,
  authentication: {
    type: 'custom',
    fields: [
      {
        key: 'address',
        label: 'Address of the appliance',
        type: 'string',
        required: true,
        placeholder: 'https://spoke.example.com',
        helpText: 'As the page **Manage Zapier** shows it. Zapier has to reach it from the internet.',
      },
      {
        key: 'api_key',
        label: 'API key',
        type: 'password',
        required: true,
        helpText: 'Shown once, when a location is connected to Zapier: on the main page, **Connect** on the card Zapier.',
      },
    ],
    test,
    connectionLabel: '{{key}} at {{account}}',
  },
};
