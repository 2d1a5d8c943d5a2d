package main

const usage = `Usage: moment-mock [--listen address] [--forward-to URL] [--state file] [--seed file]
                   [--retry now] [--log json] [--allow-host name] [--no-console]
       moment-mock pay|events|resend|fail|clock|reset|health|version …

moment-mock is a fake of the Moment Billing API, for developing and testing in any language. It has
Moment's operations, errors and signed webhooks, and moves no money. It prints its URL, a key and a
webhook secret. On standard error, it logs each request and each attempt to deliver an event. SIGINT
(Ctrl+C) or SIGTERM ends it after the requests in flight; a second signal ends it at once.

  --listen address   the address to listen on. Default: 127.0.0.1:8787, which other machines
                     cannot reach. Port 0 is any free port
  --forward-to URL   the endpoint that events are sent to. Default: events are not sent
  --state file       keep all data in this file for the next run, even after kill -9. Default:
                     data is lost at the end. The file grows with each change, and is rewritten
                     at the next start. A file that is mounted alone into a container only
                     grows: mount its folder instead
  --seed file        start with this data, and restore it at a reset. The form is that of
                     --state and of GET /_mock/state. The file is never written
  --retry now        deliver an event with three attempts without waits. Default: retry after
                     5 s, 30 s, 5 min, 30 min and 2 h: see moment-mock clock
  --log json         write each line of the log as a JSON object
  --allow-host name  also accept requests for this host name; may occur several times. Always accepted:
                     IP addresses, the name in --listen, and names that nobody can register:
                     localhost, moment-mock (a container), host.docker.internal
  --no-console       do not serve the console for browsers

Commands for a running moment-mock, each with its own --help:

  pay      record a full or part payment, or a declined card
  events   list the events, or show one with its delivery attempts
  resend   deliver an event again
  fail     make the next requests fail
  clock    show or move the clock
  reset    restore the seed
  health   exit with 0 if moment-mock is ready, for containers and scripts
  version  show the version

Each command calls the admin API below /_mock, which programs in any language can call too. It is
described at http://127.0.0.1:8787/_mock/openapi.yaml, and Moment's API at /openapi.yaml.

MOMENT_WEBHOOK_SECRET in the environment, whsec_..., signs the events. Without it, moment-mock
makes a secret, and keeps it in the state file if there is one. NO_COLOR=1 turns colours off.

Exit codes: 0 success, 1 failure, 2 wrong usage.
`

const payUsage = `Usage: moment-mock pay target [amount] [--declined] [--any-amount] [--deliver when] [--method type]

Records a payment, and shows its event and the result of the delivery.

  target          the id of a payment request, or the id or external reference of a bill, of an
                  account or of a customer. An account or a customer must have a currency. If
                  two objects have the same external reference, pass the id
  amount          in the currency of the target: 15.00. Default: the remaining amount
  --declined      the card is declined, and nothing is paid
  --any-amount    ignore the payment rules, for example for an overpayment
  --deliver when  now, hold or never: at once, later with moment-mock resend, or not at all.
                  Default: now
  --method type   the type in payment_method_details. Default: card
  --url URL       the URL of moment-mock; or MOMENT_BASE_URL in the environment.
                  Default: http://127.0.0.1:8787

For example:

  moment-mock pay UBR1234567890 15.00

The payment is recorded even if the event is not acknowledged. Other programs can send the same
request, and receive the result as JSON:

  curl http://127.0.0.1:8787/_mock/payments -H 'Content-Type: application/json' \
    -d '{"to": "UBR1234567890", "amount": "15.00"}'

Exit codes: 0 paid or declined, and the event was acknowledged or not sent; 1 rejected, no
response, or the event was not acknowledged; 2 wrong usage.
`

const urlUsage = `
  --url URL  the URL of moment-mock; or MOMENT_BASE_URL in the environment.
             Default: http://127.0.0.1:8787
`

const eventsUsage = `Usage: moment-mock events [message]

Lists the events, the newest last. With a message id, shows that event, its delivery attempts and the
responses of your endpoint.
` + urlUsage

const resendUsage = `Usage: moment-mock resend message [--times n] [--secret previous] [--age duration]

Delivers an event again, as Moment may. moment-mock events lists the message ids.

  --times n          the number of deliveries. Default: 1
  --secret previous  sign with the previous secret, as during a rotation. Until PUT /_mock/webhook
                     sets a new secret, no endpoint has the previous one
  --age duration     sign with a timestamp of this age, such as 10m, as in a replay attack

Exit codes: 0 acknowledged, 1 not acknowledged, 2 wrong usage.
` + urlUsage

const failUsage = `Usage: moment-mock fail [fault] [status] [--on operation] [--times n] [--delay d] [--retry-after d]
       moment-mock fail --clear

Makes the next requests fail. Without a fault, lists the faults that no request has met.

  503, or status 503   a gateway responds; the operation does not run
  service_error 422    the service responds, and saves its response under the idempotency key
  drop_before_commit   the connection ends; the operation does not run
  drop_after_commit    the operation runs, and the connection ends without a response
  truncate             the operation runs, and the response is truncated
  delay --delay 10s    the operation runs after a delay

  --on operation       only this operation, such as "create bill". Default: any
  --times n            the number of requests. Default: 1
  --retry-after 30s    add a Retry-After header
  --clear              remove all faults
` + urlUsage

const clockUsage = `Usage: moment-mock clock [advance duration | set time]

Shows or moves the clock of moment-mock, which sets the dates of bills and events, the expiry of
payment requests and idempotency keys, and the retries of deliveries. After a move, each delivery
that is due is attempted before the command returns.

  advance duration   move forward, by 5s, 30m or 24h for example
  set time           set the time, such as 2025-01-31T12:00:00Z
` + urlUsage

const resetUsage = `Usage: moment-mock reset

Restores the seed and the clock, and removes everything else: faults, events and recorded requests
too. It does not change the webhook's URL and secrets. Run it before each test.
` + urlUsage

const healthUsage = `Usage: moment-mock health

Exits with 0 if moment-mock is ready, and with 1 if it is not.
` + urlUsage

const versionUsage = `Usage: moment-mock version

Shows the version.
`
