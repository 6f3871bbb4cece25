'use strict';

const { EVENT_FIELDS, EVENT_SAMPLE, asList, recent, subscribeTo, unsubscribe } = require('../hooks');

const TYPES = { incoming_call: 'Incoming Call', outgoing_call: 'Outgoing Call' };
const STATUSES = {
  ringing: 'Ringing',
  answered: 'Answered',
  ended: 'Ended',
  missed: 'Missed',
  busy: 'Busy',
  invalid: 'Invalid',
  blocked: 'Blocked',
  not_available: 'Not available',
  no_answer: 'No answer',
  rejected: 'Rejected',
};

const includes = (chosen, word) => !chosen.length || chosen.includes(word);

/** One type and one status are asked for; of several the appliance lists all, and the rest is left out here. */
const performList = (z, bundle) => {
  const types = asList(bundle.inputData.types);
  const statuses = asList(bundle.inputData.statuses);
  const params = {};
  if (types.length === 1) [params.type] = types;
  if (statuses.length === 1) [params.status] = statuses;
  return recent(
    z,
    bundle,
    params,
    (event) => event.type in TYPES && includes(types, event.type) && includes(statuses, event.subtype),
  );
};

module.exports = {
  key: 'call_event',
  noun: 'Call Event',
  display: {
    label: 'Call Event',
    description: 'Triggers when a call rings, is answered, ends, or is missed, busy or refused.',
  },
  operation: {
    type: 'hook',
    inputFields: [
      {
        key: 'types',
        label: 'Call types',
        choices: TYPES,
        list: true,
        required: false,
        helpText: 'None chosen: any.',
      },
      {
        key: 'statuses',
        label: 'Call statuses',
        choices: STATUSES,
        list: true,
        required: false,
        helpText: 'None chosen: any. A call that is taken has three: Ringing, Answered, Ended.',
      },
    ],
    performSubscribe: subscribeTo('call', null, 'Call Event'),
    performUnsubscribe: unsubscribe,
    perform: (z, bundle) => [bundle.cleanedRequest],
    performList,
    sample: {
      ...EVENT_SAMPLE,
      type: 'incoming_call',
      subtype: 'ringing',
      timestamp: '2023-11-14T21:45:22.000000Z',
    },
    // Events of one call may share an id with some phone systems: type and status tell them apart.
    outputFields: [
      ...EVENT_FIELDS,
      { key: 'type', label: 'Call type', type: 'string', primary: true },
      { key: 'subtype', label: 'Call status', type: 'string', primary: true },
      { key: 'timestamp', label: 'Time', type: 'datetime' },
    ],
  },
};
