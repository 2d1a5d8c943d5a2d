package integration_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/signature"
)

// Signatures are checked against three implementations by others: those of Standard Webhooks in Go
// and in JavaScript, and that of Svix, whose scheme it was. They read the real clock, so what is
// signed here is signed now.

// webhook is one secret in one implementation, with the methods that the two in Go have.
type webhook interface {
	Sign(id string, at time.Time, body []byte) (string, error)
	Verify(body []byte, header http.Header) error
}

const (
	inGo   = "standardwebhooks in Go"
	inSvix = "svix in Go"
	inJS   = "standardwebhooks in JavaScript"
)

// references are the implementations by others. One is opened inside a subtest, as it may have to
// skip it.
var references = []struct {
	name string
	open func(*testing.T) func(secret string) (webhook, error)
}{
	{inGo, func(*testing.T) func(string) (webhook, error) {
		return func(secret string) (webhook, error) { return standardwebhooks.NewWebhook(secret) }
	}},
	{inSvix, func(*testing.T) func(string) (webhook, error) {
		return func(secret string) (webhook, error) { return svix.NewWebhook(secret) }
	}},
	{inJS, openNode},
}

// ours is what is tested, in the shape of the references: the key signs, and the verifier that
// merchants use verifies.
type ours struct {
	key      *signature.Key
	verifier *moment.WebhookVerifier
}

func openOurs(secret string) (webhook, error) {
	key, err := signature.ParseSecret(secret)
	if err != nil {
		return nil, err
	}
	verifier, err := moment.NewWebhookVerifier(secret)
	return ours{key, verifier}, err
}

func (o ours) Sign(id string, at time.Time, body []byte) (string, error) {
	return o.key.Sign(id, seconds(at), body), nil
}

func (o ours) Verify(body []byte, header http.Header) error {
	return o.verifier.Verify(header, body)
}

// keyOf is a key of n bytes, of which no two are alike.
func keyOf(n int) []byte {
	k := make([]byte, n)
	for i := range k {
		k[i] = byte(i*7 + n)
	}
	return k
}

func seconds(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func webhookHeaders(id string, at time.Time, signatures string) http.Header {
	return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {seconds(at)}, "Webhook-Signature": {signatures}}
}

// paid is an event as Moment documents it.
const paid = `{"id":"evt_2341234567890abcdef","type":"obligation.amount_applied","data":{"id":"ob_1","amount":2000,"currency":"ZAR","payment_id":"pay_1","bill_id":"bill_1"}}`

var (
	texts = []struct {
		why  string
		body []byte
	}{
		{"an event", []byte(paid)},
		{"UTF-8 of two, three and four bytes, and a byte order mark", []byte("\uFEFF" + `{"name":"Müller, 東京, 🧾"}`)},
		{"an empty object", []byte(`{}`)},
		{"400 bytes, as events have", fmt.Appendf(nil, `{"note":"%s"}`, strings.Repeat("n", 389))},
		{"16 KiB, many blocks of SHA-256", fmt.Appendf(nil, `{"note":"%s"}`, strings.Repeat("n", 16<<10-11))},
		{"white space and escapes, which decoding and encoding again would change", []byte("{ \"a\" : 1.0,\r\n\t\"b\" : \"\\u00e9\\/\" }\n")},
		{"nothing", nil},
	}
	binary = func() []byte { // every byte, so that most are no UTF-8
		b := make([]byte, 256)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}()
	keyLengths = []int{16, 24, 32, 64} // the least that is taken, and what the scheme allows: 24 to 64
	messageIDs = []string{
		"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",      // as the scheme's example
		"018f4a3e-7c1b-7d2a-9f00-2b1c3d4e5f60", // a UUID
		"msg.2.3",                              // with the separator in it
		strings.Repeat("m", 255),
	}
)

// Each signs for us and verifies ours, and each refuses, as we do, what was changed on its way.
func TestSignersAgree(t *testing.T) {
	for _, reference := range references {
		t.Run(reference.name, func(t *testing.T) {
			open := reference.open(t)
			for _, length := range keyLengths {
				theirs, we := both(t, open, keyOf(length))
				for _, id := range messageIDs {
					for _, text := range texts {
						agree(t, theirs, we, id, text.body, fmt.Sprintf("%s, %d bytes of key, id %.20s", text.why, length, id))
					}
				}
			}
		})
	}
}

// both opens a secret there and here.
func both(t *testing.T, open func(string) (webhook, error), key []byte) (theirs, we webhook) {
	t.Helper()
	secret := moment.RawWebhookSecret(key)
	theirs, err := open(secret)
	require.NoError(t, err)
	we, err = openOurs(secret)
	require.NoError(t, err)
	return theirs, we
}

func agree(t *testing.T, theirs, we webhook, id string, body []byte, why string) {
	t.Helper()
	now := time.Now()
	signed, err := theirs.Sign(id, now, body)
	require.NoError(t, err, why)
	assert.NoError(t, we.Verify(body, webhookHeaders(id, now, signed)), why)
	signed, err = we.Sign(id, now, body)
	require.NoError(t, err, why)
	assert.NoError(t, theirs.Verify(body, webhookHeaders(id, now, signed)), why)
	for _, v := range []webhook{theirs, we} {
		for _, changed := range changes(body) {
			assert.Equal(t, unsigned, judge(v.Verify(changed, webhookHeaders(id, now, signed))), "%s, changed to %.40q", why, changed)
		}
		assert.Equal(t, unsigned, judge(v.Verify(body, webhookHeaders(id+"x", now, signed))), "%s, with another id", why)
		assert.Equal(t, unsigned, judge(v.Verify(body, webhookHeaders(id, now.Add(time.Second), signed))), "%s, with another timestamp", why)
	}
}

// changes are bodies that differ from this one at its ends or in its middle.
func changes(body []byte) [][]byte {
	all := [][]byte{append(bytes.Clone(body), '\n'), append([]byte{' '}, body...)}
	for _, i := range []int{0, len(body) / 2, len(body) - 1} {
		if i >= 0 && i < len(body) {
			changed := bytes.Clone(body)
			changed[i] ^= 1
			all = append(all, changed, append(bytes.Clone(body[:i]), body[i+1:]...))
		}
	}
	return all
}

// A body need not be text for us. The two in Go agree. The one in JavaScript makes text of it
// before it signs, with U+FFFD for each byte that is no UTF-8, so that it cannot tell two such
// bytes from each other. We sign the bytes: Moment's are JSON, and of a body that was damaged on
// its way there is nothing to be guessed.
func TestSignersOnBinary(t *testing.T) {
	for _, reference := range references {
		t.Run(reference.name, func(t *testing.T) {
			theirs, we := both(t, reference.open(t), keyOf(24))
			if _, ok := theirs.(nodeWebhook); !ok {
				agree(t, theirs, we, "msg_1", binary, "every byte")
				return
			}
			now := time.Now()
			text := []byte(string([]rune(string(binary))))
			signed, err := theirs.Sign("msg_1", now, binary)
			require.NoError(t, err)
			assert.Equal(t, unsigned, judge(we.Verify(binary, webhookHeaders("msg_1", now, signed))))
			assert.NoError(t, we.Verify(text, webhookHeaders("msg_1", now, signed)))
			signed, err = we.Sign("msg_1", now, binary)
			require.NoError(t, err)
			assert.Equal(t, unsigned, judge(theirs.Verify(binary, webhookHeaders("msg_1", now, signed))))
		})
	}
}

// Of several keys, each signs an entry while Moment changes from one to the other: whoever has one
// of them accepts the message.
func TestSignersWhileTheKeyIsRotated(t *testing.T) {
	oldSecret, newSecret, otherSecret := moment.RawWebhookSecret(keyOf(24)), moment.RawWebhookSecret(keyOf(32)), moment.RawWebhookSecret(keyOf(64))
	merchant, err := moment.NewWebhookVerifier(newSecret, moment.WithAdditionalSecret(oldSecret))
	require.NoError(t, err)
	for _, reference := range references {
		t.Run(reference.name, func(t *testing.T) {
			open, body, now := reference.open(t), []byte(paid), time.Now()
			sign := func(secret string) string {
				w, err := open(secret)
				require.NoError(t, err)
				entry, err := w.Sign("msg_1", now, body)
				require.NoError(t, err)
				return entry
			}
			byOld, byNew, byOther := sign(oldSecret), sign(newSecret), sign(otherSecret)
			for _, row := range []struct {
				why                string
				entries            []string
				forOld, forNew, us verdict // us: the verifier that has both secrets
			}{
				{"before", []string{byOld}, accepted, unsigned, accepted},
				{"meanwhile", []string{byOld, byNew}, accepted, accepted, accepted},
				{"meanwhile, the other way round", []string{byNew, byOld}, accepted, accepted, accepted},
				{"after", []string{byNew}, unsigned, accepted, accepted},
				{"another merchant's", []string{byOther}, unsigned, unsigned, unsigned},
				{"another merchant's, and later ours", []string{byOther, byOther, byNew}, unsigned, accepted, accepted},
			} {
				header := webhookHeaders("msg_1", now, strings.Join(row.entries, " "))
				for _, open := range []func(string) (webhook, error){open, openOurs} {
					withOld, err := open(oldSecret)
					require.NoError(t, err)
					withNew, err := open(newSecret)
					require.NoError(t, err)
					assert.Equal(t, row.forOld, judge(withOld.Verify(body, header)), row.why)
					assert.Equal(t, row.forNew, judge(withNew.Verify(body, header)), row.why)
				}
				assert.Equal(t, row.us, judge(merchant.Verify(header, body)), row.why)
			}
		})
	}
}

// verdict is what became of a message.
type verdict string

const (
	accepted verdict = "accepted"
	missing  verdict = "a header is missing"
	untimely verdict = "the timestamp is wrong"
	unsigned verdict = "no signature is right"
)

// judge tells the reasons apart, so that nothing is refused for another than the one that is
// tested.
func judge(err error) verdict {
	if err == nil {
		return accepted
	}
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, moment.ErrMissingHeader), strings.Contains(text, "missing required headers"):
		return missing
	case errors.Is(err, moment.ErrTimestamp), strings.Contains(text, "message timestamp too"), strings.Contains(text, "invalid signature headers"):
		return untimely
	case errors.Is(err, moment.ErrInvalidSignature), strings.Contains(text, "no matching signature found"):
		return unsigned
	default:
		return verdict(err.Error())
	}
}

// The same headers, judged by all. Where a reference differs from us, it is named, and the reason
// says why we are right.
func TestSignersJudgeHeadersAlike(t *testing.T) {
	all := func(v verdict) map[string]verdict { return map[string]verdict{inGo: v, inSvix: v, inJS: v} }
	we, err := openOurs(moment.RawWebhookSecret(keyOf(24)))
	require.NoError(t, err)
	other, err := openOurs(moment.RawWebhookSecret(keyOf(32)))
	require.NoError(t, err)
	body, now := []byte(paid), time.Now()
	right, err := we.Sign("msg_1", now, body)
	require.NoError(t, err)
	wrong, err := other.Sign("msg_1", now, body)
	require.NoError(t, err)
	encoded := strings.TrimPrefix(right, "v1,")
	mac, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)

	// at is a message that was signed at another time.
	at := func(d time.Duration) http.Header {
		entry, err := we.Sign("msg_1", now.Add(d), body)
		require.NoError(t, err)
		return webhookHeaders("msg_1", now.Add(d), entry)
	}
	with := func(header http.Header, name string, values ...string) http.Header {
		header = maps.Clone(header)
		header[name] = values
		return header
	}
	good := webhookHeaders("msg_1", now, right)
	signatures := func(values ...string) http.Header { return with(good, "Webhook-Signature", values...) }
	timestamp := func(values ...string) http.Header { return with(good, "Webhook-Timestamp", values...) }

	rows := []struct {
		why    string
		header http.Header
		want   verdict
		differ map[string]verdict
	}{
		{"as it should be", good, accepted, nil},
		{"one that is right is enough, wherever it stands", signatures(wrong + " " + right + " " + wrong), accepted, nil},
		{"nothing but wrong ones", signatures(wrong + " " + wrong), unsigned, nil},
		{"other versions are skipped, the asymmetric v1a among them", signatures("v1a," + encoded + " v2," + encoded + " " + right), accepted, nil},
		{"a version that is unknown proves nothing, even with the MAC of v1", signatures("v2," + encoded), unsigned, nil},
		{"the version is not a prefix", signatures("v1a," + encoded + " v10," + encoded + " v1.0," + encoded), unsigned, nil},
		{"the version is not in capitals", signatures("V1," + encoded), unsigned, nil},
		{"no version", signatures(encoded), unsigned, nil},
		{"version and nothing", signatures("v1,"), unsigned, nil},
		{"entries without a comma, and empty ones, are skipped", signatures("v1 v2  , " + right + " "), accepted, nil},
		{"a thousand entries first", signatures(strings.Repeat(wrong+" ", 1000) + right), accepted, nil},
		// HTTP libraries join the values of a header with commas, so we read entries between commas
		// too.
		{"entries are separated by spaces, or by commas", signatures(wrong + "," + right), accepted, all(unsigned)},
		{"entries are separated by spaces, not by tabs", signatures(wrong + "\t" + right), unsigned, nil},
		{"what follows a second comma is another entry", signatures(right + "," + wrong), accepted, nil},
		{"no padding", signatures(strings.TrimRight(right, "=")), unsigned, nil},
		{"one more =", signatures(right + "="), unsigned, nil},
		{"hexadecimal", signatures("v1," + hex.EncodeToString(mac)), unsigned, nil},
		{"in capitals", signatures("v1," + strings.ToUpper(encoded)), unsigned, nil},
		{"half of it", signatures(right[:len(right)/2]), unsigned, nil},
		// A decoder that is not strict ignores the last bits before the padding; all compare what
		// is encoded.
		{"other bits behind the last byte, which decode to the same MAC", signatures("v1," + sameMAC(encoded)), unsigned, nil},

		{"no id", with(good, "Webhook-Id"), missing, nil},
		{"an empty id", with(good, "Webhook-Id", ""), missing, nil},
		{"no timestamp", timestamp(), missing, nil},
		{"an empty timestamp", timestamp(""), missing, nil},
		{"no signature", signatures(), missing, nil},
		{"an empty signature", signatures(""), missing, nil},
		// Svix takes its own names too, and first. Moment documents webhook-id.
		{"under the names of Svix", http.Header{"Svix-Id": good["Webhook-Id"], "Svix-Timestamp": good["Webhook-Timestamp"], "Svix-Signature": good["Webhook-Signature"]}, missing, map[string]verdict{inSvix: accepted}},

		// Those in Go take the first of two. Node.js joins them with a comma, and the package then
		// reads what it can: the first timestamp, either signature. Where readers disagree on which
		// id or time was signed, we accept nothing.
		{"the same id twice", with(good, "Webhook-Id", "msg_1", "msg_1"), unsigned, map[string]verdict{inGo: accepted, inSvix: accepted}},
		{"a second id", with(good, "Webhook-Id", "msg_1", "msg_2"), unsigned, map[string]verdict{inGo: accepted, inSvix: accepted}},
		{"a second timestamp", timestamp(seconds(now), seconds(now.Add(time.Second))), unsigned, all(accepted)},
		// Serverless adapters deliver signatures in several values, and any of them is enough.
		{"signatures in two headers, the right one first", signatures(right, wrong), accepted, nil},
		{"signatures in two headers, the right one last", signatures(wrong, right), accepted, map[string]verdict{inGo: unsigned, inSvix: unsigned}},

		{"a minute old", at(-time.Minute), accepted, nil},
		{"a minute ahead", at(time.Minute), accepted, nil},
		// The references allow five minutes. Moment recommends three, and merchants can set what
		// they want.
		{"four minutes old", at(-4 * time.Minute), untimely, all(accepted)},
		{"four minutes ahead", at(4 * time.Minute), untimely, all(accepted)},
		{"six minutes old", at(-6 * time.Minute), untimely, nil},
		{"six minutes ahead", at(6 * time.Minute), untimely, nil},
		{"milliseconds", timestamp(seconds(now) + "000"), untimely, nil},
		{"before 1970", timestamp("-" + seconds(now)), untimely, nil},
		{"a date", timestamp(now.UTC().Format(time.RFC3339)), untimely, nil},
		{"no number", timestamp("now"), untimely, nil},
		// They sign the number that they have read, in its usual form. We sign the bytes of the
		// header, as they came: the service writes plain digits, and nothing on the way has a
		// reason to change them.
		{"a sign before it", timestamp("+" + seconds(now)), untimely, all(accepted)},
		{"a zero before it", timestamp("0" + seconds(now)), unsigned, all(accepted)},
		// parseInt reads as far as there are digits.
		{"a fraction", timestamp(seconds(now) + ".5"), untimely, map[string]verdict{inJS: accepted}},
		{"something after it", timestamp(seconds(now) + "x"), untimely, map[string]verdict{inJS: accepted}},
	}
	for _, row := range rows {
		assert.Equal(t, row.want, judge(we.Verify(body, row.header)), row.why)
	}
	for _, reference := range references {
		t.Run(reference.name, func(t *testing.T) {
			theirs, err := reference.open(t)(moment.RawWebhookSecret(keyOf(24)))
			require.NoError(t, err)
			for _, row := range rows {
				want, differs := row.differ[reference.name]
				if !differs {
					want = row.want
				}
				assert.Equal(t, want, judge(theirs.Verify(body, row.header)), row.why)
				assert.False(t, differs && want == row.want, "%s: it does not differ", row.why)
			}
		})
	}
}

// sameMAC is another text that decodes to the same 32 bytes: of its last digit, two bits are not
// used.
func sameMAC(encoded string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := len(encoded) - 2 // before the padding
	return encoded[:last] + string(digits[strings.IndexByte(digits, encoded[last])+1]) + "="
}

// The same secrets, read by all. A secret that two read differently is no secret that they share.
func TestSignersReadSecretsAlike(t *testing.T) {
	encode := base64.StdEncoding.EncodeToString
	long := encode(keyOf(32))
	high := encode(bytes.Repeat([]byte{0xfb}, 24)) // its digits are those which another alphabet writes differently
	rows := []struct {
		why, secret string
		key         []byte          // nil: refused
		differ      map[string]bool // whether a reference takes it, of those that differ
	}{
		{"as documented", "whsec_" + long, keyOf(32), nil},
		{"without its prefix", long, keyOf(32), nil},
		{"the least that we take", "whsec_" + encode(keyOf(16)), keyOf(16), nil},
		{"the least that the scheme allows", "whsec_" + encode(keyOf(24)), keyOf(24), nil},
		{"the most that it allows", "whsec_" + encode(keyOf(64)), keyOf(64), nil},
		{"more than a block of SHA-256, which HMAC hashes first", "whsec_" + encode(keyOf(65)), keyOf(65), nil},
		{"with the digits + and /", "whsec_" + high, bytes.Repeat([]byte{0xfb}, 24), nil},
		{"in the alphabet for URLs", "whsec_" + strings.NewReplacer("+", "-", "/", "_").Replace(high), nil, nil},
		{"the prefix twice", "whsec_whsec_" + long, nil, nil},
		{"a space behind it", "whsec_" + long + " ", nil, nil},
		{"no base64", "whsec_what was pasted here?", nil, nil},
		// Decoding what was pasted wrongly would only make each webhook a forged one; merchants
		// should hear of it at the start.
		{"a line break in it", "whsec_" + long[:20] + "\n" + long[20:], nil, map[string]bool{inGo: true, inSvix: true}},
		{"without its padding", "whsec_" + strings.TrimRight(long, "="), nil, map[string]bool{inJS: true}},
		{"other bits behind the last byte", "whsec_" + sameMAC(long), nil, map[string]bool{inGo: true, inSvix: true, inJS: true}},
		// An empty secret is what an unset variable gives, and whoever knows that can sign with it.
		{"empty", "", nil, map[string]bool{inGo: true, inSvix: true}},
		{"nothing but the prefix", "whsec_", nil, map[string]bool{inGo: true, inSvix: true}},
		// So few bytes can be searched for the ones that sign a message.
		{"too few bytes", "whsec_" + encode(keyOf(15)), nil, map[string]bool{inGo: true, inSvix: true, inJS: true}},
	}
	body, now := []byte(paid), time.Now()
	for _, row := range rows {
		_, err := openOurs(row.secret)
		assert.Equal(t, row.key != nil, err == nil, row.why)
		_, err = moment.NewWebhookVerifier(row.secret)
		assert.Equal(t, row.key == nil, errors.Is(err, moment.ErrInvalidArgument), row.why)
	}
	for _, reference := range references {
		t.Run(reference.name, func(t *testing.T) {
			open := reference.open(t)
			for _, row := range rows {
				theirs, err := open(row.secret)
				var signed string
				if err == nil { // JavaScript reads it when it signs
					signed, err = theirs.Sign("msg_1", now, body)
				}
				takes, differs := row.differ[reference.name]
				assert.Equal(t, takes || !differs && row.key != nil, err == nil, "%s: %v", row.why, err)
				if row.key != nil {
					assert.Equal(t, signature.NewKey(row.key).Sign("msg_1", seconds(now), body), signed, row.why)
				}
			}
		})
	}
}

// node is the program in testdata/standardwebhooks, which has the npm package.
type node struct {
	requests io.Writer
	answers  *bufio.Reader
}

// openNode starts it for one test. Whoever works on something else need not have Node.js; where all
// is to be checked, it is a failure not to have it.
func openNode(t *testing.T) func(string) (webhook, error) {
	t.Helper()
	const dir = "testdata/standardwebhooks"
	program, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "standardwebhooks"))
	}
	if err != nil {
		text := fmt.Sprintf("the npm package standardwebhooks is not there: bash .ci/node installs it (%v)", err)
		if os.Getenv("CI") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	cmd := exec.CommandContext(t.Context(), program, filepath.Join(dir, "signer.js"))
	cmd.Stderr = os.Stderr
	requests, err := cmd.StdinPipe()
	require.NoError(t, err)
	answers, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	n := &node{requests, bufio.NewReader(answers)}
	t.Cleanup(func() {
		_ = requests.Close() // it ends with its input
		_ = cmd.Wait()
	})
	return func(secret string) (webhook, error) { return nodeWebhook{n, secret}, nil }
}

// nodeWebhook is a secret of which the package hears with each message.
type nodeWebhook struct {
	node   *node
	secret string
}

func (w nodeWebhook) Sign(id string, at time.Time, body []byte) (string, error) {
	return w.node.ask(map[string]any{"op": "sign", "secret": w.secret, "id": id, "timestamp": at.Unix(), "body": body})
}

// Verify hands over the headers as a server in Node.js does: in small letters, and those that came
// twice as one.
func (w nodeWebhook) Verify(body []byte, header http.Header) error {
	joined := map[string]string{}
	for name, values := range header {
		if len(values) > 0 {
			joined[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	_, err := w.node.ask(map[string]any{"op": "verify", "secret": w.secret, "headers": joined, "body": body})
	return err
}

// ask returns the signature, if there is one. A []byte is base64 in JSON.
func (n *node) ask(request map[string]any) (string, error) {
	if body, ok := request["body"].([]byte); ok && body == nil {
		request["body"] = []byte{} // rather than null
	}
	line, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	if _, err := n.requests.Write(append(line, '\n')); err != nil {
		return "", err
	}
	line, err = n.answers.ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("the program ended: %w", err)
	}
	var answer struct{ Signature, Error string }
	if err := json.Unmarshal(line, &answer); err != nil {
		return "", err
	}
	if answer.Error != "" {
		return "", errors.New(answer.Error)
	}
	return answer.Signature, nil
}
