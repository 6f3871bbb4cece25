-- wrk's request maker: call events with an id of their own each, BATCH of them in an array (1: a single one).
-- Arguments after "--": a prefix of 8 hex digits that no other run has, and BATCH.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(arguments)
  prefix, batch, made = arguments[1], tonumber(arguments[2]), 0
end

local function event()
  made = made + 1
  local id = string.format("%s-%04x-4000-8000-%012x", prefix, number, made)
  return '{"id":"' .. id .. '","thread_id":"' .. id .. '","to":"5010","from":"+19203833100",'
    .. '"to_name":"Dade Murphy","from_name":"Clearly IP","type":"incoming_call","subtype":"ringing",'
    .. '"timestamp":"2023-11-14T21:45:22.000000Z"}'
end

function request()
  if batch == 1 then return wrk.format("POST", nil, nil, event()) end
  local events = {}
  for i = 1, batch do events[i] = event() end
  return wrk.format("POST", nil, nil, "[" .. table.concat(events, ",") .. "]")
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format('\nfigures {"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "faults": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
