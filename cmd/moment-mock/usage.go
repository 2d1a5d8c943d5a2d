package main

const usage = `Usage: moment-mock [--listen address] [--forward-to URL] [--state file] [--seed file]
                   [--retry now] [--log json] [--allow-host name] [--no-console]
       moment-mock pay|events|resend|fail|clock|reset|health|version …

A fake of the Moment Billing API, to develop and test against in any language: the operations,
errors and signed webhooks of Moment, and no real money. It prints its URL, a key and a webhook
secret, and then, on standard error, a line for each request and for each attempt to deliver an
event. SIGINT (Ctrl+C) or SIGTERM ends it after the requests in flight, a second one at once.

  --listen address   where to listen. Default: 127.0.0.1:8787, which other machines cannot
                     reach; with port 0, one that is free
  --forward-to URL   where events are sent. Default: nowhere
  --state file       where to keep everything for the next run, kill -9 included. Default:
                     nowhere, it is gone at the end. The file grows with each change, and
                     shrinks at the next start. A file that is mounted by itself into a
                     container only grows: mount its folder
  --seed file        what to begin with, and what moment-mock reset goes back to: a file as
                     --state writes it, or GET /_mock/state returns it. It is only read
  --retry now        try to deliver an event three times at once, and not again. Default:
                     again after 5 s, 30 s, 5 min, 30 min and 2 h: see moment-mock clock
  --log json         write each line as a JSON object
  --allow-host name  accept requests for this host name too; can be given several times.
                     Accepted are addresses, the name that is listened on, and names that
                     nobody can register: localhost, moment-mock (a container),
                     host.docker.internal
  --no-console       show no console to a browser that opens the URL

Commands that talk to a moment-mock that runs, each with a --help of its own:

  pay      record a payment, part of one, or a declined card
  events   list the events, or show one with its attempts
  resend   deliver an event again
  fail     make the next requests fail
  clock    show or move the clock
  reset    go back to the seed
  health   exit with 0 if moment-mock is ready, for containers and scripts
  version  show the version

All of them call the admin API below /_mock, which programs in any language can call too. It is
described at http://127.0.0.1:8787/_mock/openapi.yaml, and the API of Moment at /openapi.yaml.

MOMENT_WEBHOOK_SECRET in the environment, whsec_..., is what events are signed with. Without
it, a secret is made up, and kept in the state file if there is one. NO_COLOR=1 turns colours off.

Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.
`

const payUsage = `Usage: moment-mock pay target [amount] [--declined] [--any-amount] [--deliver when] [--method type]

Records a payment at a moment-mock that runs, and shows its event and how that was delivered.

  target          what is paid: the id of a payment request, or the id or the external
                  reference of a bill, or of an account or a customer that has a currency;
                  where two have one reference, the id
  amount          in the currency of the target: 15.00. Default: all that is left to pay
  --declined      the card is declined, and nothing is paid
  --any-amount    whatever the payment rules say: an overpayment, for example
  --deliver when  now; hold, until moment-mock resend; or never, as if the event was lost
  --method type   the type in payment_method_details. Default: card
  --url URL       where moment-mock is; or MOMENT_BASE_URL in the environment.
                  Default: http://127.0.0.1:8787

For example:

  moment-mock pay UBR1234567890 15.00

The payment stays, whatever becomes of its event. Other programs can do the same, and get the
delivery as JSON:

  curl http://127.0.0.1:8787/_mock/payments -H 'Content-Type: application/json' \
    -d '{"to": "UBR1234567890", "amount": "15.00"}'

Exit codes: 0 paid or declined, and the event was acknowledged or not sent; 1 rejected, no
response, or the event was not acknowledged; 2 wrong usage.
`

const urlUsage = `
  --url URL  where moment-mock is; or MOMENT_BASE_URL in the environment.
             Default: http://127.0.0.1:8787
`

const eventsUsage = `Usage: moment-mock events [message]

Lists the events, the last one last, or shows one by its message id, with the attempts to deliver it
and what your endpoint responded.
` + urlUsage

const resendUsage = `Usage: moment-mock resend message [--times n] [--secret previous] [--age duration]

Delivers an event again, as Moment may: see moment-mock events for the message id.

  --times n          how often. Default: 1
  --secret previous  signed with the secret before, as in the middle of a rotation: one that no
                     endpoint has, until PUT /_mock/webhook sets another
  --age duration     signed this long ago, such as 10m, as in a replay attack

Exit codes: 0 acknowledged, 1 not acknowledged, 2 wrong usage.
` + urlUsage

const failUsage = `Usage: moment-mock fail [fault] [status] [--on operation] [--times n] [--delay d] [--retry-after d]
       moment-mock fail --clear

Makes the next requests fail. Without a fault, it lists those that are left.

  503, or status 503   a gateway responds, and nothing runs
  service_error 422    the service itself responds, and saves that under the idempotency key
  drop_before_commit   the connection ends, and nothing runs
  drop_after_commit    the operation runs, and the connection ends
  truncate             the operation runs, and half of the response arrives
  delay --delay 10s    waits, and then runs

  --on operation       only on this operation, such as "create bill". Default: any
  --times n            for n requests. Default: 1
  --retry-after 30s    with a Retry-After
  --clear              remove all that are left
` + urlUsage

const clockUsage = `Usage: moment-mock clock [advance duration | set time]

Shows the clock of moment-mock, or moves it: bills, events, expiry and the retries of deliveries
follow it. A delivery that becomes due is attempted before the command returns.

  advance duration   forward, such as 5s, 30m or 24h
  set time           to a time, such as 2025-01-31T12:00:00Z
` + urlUsage

const resetUsage = `Usage: moment-mock reset

Goes back to the seed: removes everything else, faults, events and recorded requests included, and
sets the clock back. Do it before each test.
` + urlUsage

const healthUsage = `Usage: moment-mock health

Exits with 0 if moment-mock is ready, and with 1 if it is not.
` + urlUsage

const versionUsage = `Usage: moment-mock version

Shows the version.
`
