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

// Signatures are compared with three other implementations: those of Standard Webhooks in Go and in
// JavaScript, and that of Svix, the origin of the scheme. They read the real clock, so messages are
// signed with the current time.

// webhook is a secret in one implementation, with the methods of the two in Go.
type webhook interface {
	Sign(id string, at time.Time, body []byte) (string, error)
	Verify(body []byte, header http.Header) error
}

const (
	inGo   = "standardwebhooks in Go"
	inSvix = "svix in Go"
	inJS   = "standardwebhooks in JavaScript"
)

// references are the other implementations. Each is opened in a subtest, because it may skip the
// subtest.
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

// ours is the tested implementation in the form of the references. The key signs, and the
// merchants' verifier verifies.
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

// keyOf returns a key of n different bytes.
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

// paid is a documented event of Moment.
const paid = `{"id":"evt_2341234567890abcdef","type":"obligation.amount_applied","data":{"id":"ob_1","amount":2000,"currency":"ZAR","payment_id":"pay_1","bill_id":"bill_1"}}`

var (
	texts = []struct {
		why  string
		body []byte
	}{
		{"an event", []byte(paid)},
		{"UTF-8 of two, three and four bytes, and a byte order mark", []byte("\uFEFF" + `{"name":"Müller, 東京, 🧾"}`)},
		{"an empty object", []byte(`{}`)},
		{"400 bytes, like an event", fmt.Appendf(nil, `{"note":"%s"}`, strings.Repeat("n", 389))},
		{"16 KiB, many blocks of SHA-256", fmt.Appendf(nil, `{"note":"%s"}`, strings.Repeat("n", 16<<10-11))},
		{"white space and escapes, which change if they are decoded and encoded again", []byte("{ \"a\" : 1.0,\r\n\t\"b\" : \"\\u00e9\\/\" }\n")},
		{"nothing", nil},
	}
	binary = func() []byte { // every byte, so that most are not UTF-8
		b := make([]byte, 256)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}()
	keyLengths = []int{16, 24, 32, 64} // the shortest accepted length, and those of the scheme: 24 to 64
	messageIDs = []string{
		"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",      // like the scheme's example
		"018f4a3e-7c1b-7d2a-9f00-2b1c3d4e5f60", // a UUID
		"msg.2.3",                              // containing the separator
		strings.Repeat("m", 255),
	}
)

// Each implementation verifies our signatures, and we verify its signatures. All reject a message
// that was changed.
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

// both opens a secret in a reference and in ours.
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
			assert.Equal(t, unsigned, classify(v.Verify(changed, webhookHeaders(id, now, signed))), "%s, changed to %.40q", why, changed)
		}
		assert.Equal(t, unsigned, classify(v.Verify(body, webhookHeaders(id+"x", now, signed))), "%s, with another id", why)
		assert.Equal(t, unsigned, classify(v.Verify(body, webhookHeaders(id, now.Add(time.Second), signed))), "%s, with another timestamp", why)
	}
}

// changes returns bodies that differ from body at its ends or in its middle.
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

// We sign the bytes of a body, which need not be text, and the two implementations in Go agree. The
// one in JavaScript converts the body to text first, with U+FFFD for each byte that is not UTF-8,
// so it does not distinguish such bytes. Moment's bodies are JSON, and a damaged body must not be
// repaired by a guess.
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
			assert.Equal(t, unsigned, classify(we.Verify(binary, webhookHeaders("msg_1", now, signed))))
			assert.NoError(t, we.Verify(text, webhookHeaders("msg_1", now, signed)))
			signed, err = we.Sign("msg_1", now, binary)
			require.NoError(t, err)
			assert.Equal(t, unsigned, classify(theirs.Verify(binary, webhookHeaders("msg_1", now, signed))))
		})
	}
}

// During a rotation, each key signs an entry, so a receiver with any of the keys accepts the
// message.
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
				forOld, forNew, us verdict // ours: the verifier with both secrets
			}{
				{"before", []string{byOld}, accepted, unsigned, accepted},
				{"meanwhile", []string{byOld, byNew}, accepted, accepted, accepted},
				{"during the rotation, in the other order", []string{byNew, byOld}, accepted, accepted, accepted},
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
					assert.Equal(t, row.forOld, classify(withOld.Verify(body, header)), row.why)
					assert.Equal(t, row.forNew, classify(withNew.Verify(body, header)), row.why)
				}
				assert.Equal(t, row.us, classify(merchant.Verify(header, body)), row.why)
			}
		})
	}
}

// verdict is the result of a verification.
type verdict string

const (
	accepted verdict = "accepted"
	missing  verdict = "a header is missing"
	untimely verdict = "the timestamp is wrong"
	unsigned verdict = "no signature is right"
)

// classify returns the reason of an error, so that a test fails if a message is rejected for
// another reason.
func classify(err error) verdict {
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

// All implementations verify the same headers. Each difference of a reference is listed, with the
// reason for our result.
func TestSignersVerifyHeadersAlike(t *testing.T) {
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

	// at returns a message that was signed at another time.
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
		{"a valid message", good, accepted, nil},
		{"one right signature is enough, in any position", signatures(wrong + " " + right + " " + wrong), accepted, nil},
		{"only wrong signatures", signatures(wrong + " " + wrong), unsigned, nil},
		{"other versions are skipped, including the asymmetric v1a", signatures("v1a," + encoded + " v2," + encoded + " " + right), accepted, nil},
		{"an unknown version does not count, even with the MAC of v1", signatures("v2," + encoded), unsigned, nil},
		{"the version is not a prefix", signatures("v1a," + encoded + " v10," + encoded + " v1.0," + encoded), unsigned, nil},
		{"the version is not in capitals", signatures("V1," + encoded), unsigned, nil},
		{"no version", signatures(encoded), unsigned, nil},
		{"only a version", signatures("v1,"), unsigned, nil},
		{"entries without a comma, and empty ones, are skipped", signatures("v1 v2  , " + right + " "), accepted, nil},
		{"a thousand entries first", signatures(strings.Repeat(wrong+" ", 1000) + right), accepted, nil},
		// HTTP libraries join the values of a header with commas, so we also separate entries at
		// commas.
		{"entries are separated by spaces, or by commas", signatures(wrong + "," + right), accepted, all(unsigned)},
		{"entries are separated by spaces, not by tabs", signatures(wrong + "\t" + right), unsigned, nil},
		{"the text after a second comma is another entry", signatures(right + "," + wrong), accepted, nil},
		{"no padding", signatures(strings.TrimRight(right, "=")), unsigned, nil},
		{"one more =", signatures(right + "="), unsigned, nil},
		{"hexadecimal", signatures("v1," + hex.EncodeToString(mac)), unsigned, nil},
		{"in capitals", signatures("v1," + strings.ToUpper(encoded)), unsigned, nil},
		{"half of the signature", signatures(right[:len(right)/2]), unsigned, nil},
		// A decoder that is not strict ignores the last bits before the padding. All
		// implementations compare the encoded form.
		{"other bits after the last byte, which decode to the same MAC", signatures("v1," + sameMAC(encoded)), unsigned, nil},

		{"no id", with(good, "Webhook-Id"), missing, nil},
		{"an empty id", with(good, "Webhook-Id", ""), missing, nil},
		{"no timestamp", timestamp(), missing, nil},
		{"an empty timestamp", timestamp(""), missing, nil},
		{"no signature", signatures(), missing, nil},
		{"an empty signature", signatures(""), missing, nil},
		// Svix also accepts its own names, and reads them first. Moment documents webhook-id.
		{"under the names of Svix", http.Header{"Svix-Id": good["Webhook-Id"], "Svix-Timestamp": good["Webhook-Timestamp"], "Svix-Signature": good["Webhook-Signature"]}, missing, map[string]verdict{inSvix: accepted}},

		// The implementations in Go use the first of two values. Node.js joins them with a comma,
		// and the package then uses the first timestamp and either signature. We reject a second id
		// or time, because readers disagree about which one was signed.
		{"the same id twice", with(good, "Webhook-Id", "msg_1", "msg_1"), unsigned, map[string]verdict{inGo: accepted, inSvix: accepted}},
		{"a second id", with(good, "Webhook-Id", "msg_1", "msg_2"), unsigned, map[string]verdict{inGo: accepted, inSvix: accepted}},
		{"a second timestamp", timestamp(seconds(now), seconds(now.Add(time.Second))), unsigned, all(accepted)},
		// Serverless adapters deliver signatures in several values, and any of them is enough.
		{"signatures in two headers, the right one first", signatures(right, wrong), accepted, nil},
		{"signatures in two headers, the right one last", signatures(wrong, right), accepted, map[string]verdict{inGo: unsigned, inSvix: unsigned}},

		{"a minute old", at(-time.Minute), accepted, nil},
		{"a minute ahead", at(time.Minute), accepted, nil},
		// The references allow five minutes. Moment recommends three, and merchants can set another
		// tolerance.
		{"four minutes old", at(-4 * time.Minute), untimely, all(accepted)},
		{"four minutes ahead", at(4 * time.Minute), untimely, all(accepted)},
		{"six minutes old", at(-6 * time.Minute), untimely, nil},
		{"six minutes ahead", at(6 * time.Minute), untimely, nil},
		{"milliseconds", timestamp(seconds(now) + "000"), untimely, nil},
		{"before 1970", timestamp("-" + seconds(now)), untimely, nil},
		{"a date", timestamp(now.UTC().Format(time.RFC3339)), untimely, nil},
		{"not a number", timestamp("now"), untimely, nil},
		// The references sign the parsed number in its usual form. We sign the bytes of the header,
		// because the service sends plain digits and proxies do not change them.
		{"a sign before it", timestamp("+" + seconds(now)), untimely, all(accepted)},
		{"a zero before it", timestamp("0" + seconds(now)), unsigned, all(accepted)},
		// parseInt reads until the first character that is not a digit.
		{"a fraction", timestamp(seconds(now) + ".5"), untimely, map[string]verdict{inJS: accepted}},
		{"something after it", timestamp(seconds(now) + "x"), untimely, map[string]verdict{inJS: accepted}},
	}
	for _, row := range rows {
		assert.Equal(t, row.want, classify(we.Verify(body, row.header)), row.why)
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
				assert.Equal(t, want, classify(theirs.Verify(body, row.header)), row.why)
				assert.False(t, differs && want == row.want, "%s: it does not differ", row.why)
			}
		})
	}
}

// sameMAC returns another text that decodes to the same 32 bytes, because two bits of its last
// digit are unused.
func sameMAC(encoded string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := len(encoded) - 2 // before the padding
	return encoded[:last] + string(digits[strings.IndexByte(digits, encoded[last])+1]) + "="
}

// All implementations read the same secrets. Two that read a secret differently cannot verify each
// other's messages.
func TestSignersReadSecretsAlike(t *testing.T) {
	encode := base64.StdEncoding.EncodeToString
	long := encode(keyOf(32))
	high := encode(bytes.Repeat([]byte{0xfb}, 24)) // its digits are different in another alphabet
	rows := []struct {
		why, secret string
		key         []byte          // nil: rejected
		differ      map[string]bool // whether a reference accepts it, for references that differ
	}{
		{"as documented", "whsec_" + long, keyOf(32), nil},
		{"without its prefix", long, keyOf(32), nil},
		{"the shortest that we accept", "whsec_" + encode(keyOf(16)), keyOf(16), nil},
		{"the shortest of the scheme", "whsec_" + encode(keyOf(24)), keyOf(24), nil},
		{"the longest of the scheme", "whsec_" + encode(keyOf(64)), keyOf(64), nil},
		{"more than a block of SHA-256, which HMAC hashes first", "whsec_" + encode(keyOf(65)), keyOf(65), nil},
		{"with the digits + and /", "whsec_" + high, bytes.Repeat([]byte{0xfb}, 24), nil},
		{"in the alphabet for URLs", "whsec_" + strings.NewReplacer("+", "-", "/", "_").Replace(high), nil, nil},
		{"the prefix twice", "whsec_whsec_" + long, nil, nil},
		{"a space after it", "whsec_" + long + " ", nil, nil},
		{"not base64", "whsec_what was pasted here?", nil, nil},
		// A secret that was pasted wrongly is rejected at the start, because otherwise every
		// webhook would be rejected.
		{"a line break in it", "whsec_" + long[:20] + "\n" + long[20:], nil, map[string]bool{inGo: true, inSvix: true}},
		{"without its padding", "whsec_" + strings.TrimRight(long, "="), nil, map[string]bool{inJS: true}},
		{"other bits after the last byte", "whsec_" + sameMAC(long), nil, map[string]bool{inGo: true, inSvix: true, inJS: true}},
		// An empty secret is from an unset variable, and anyone can sign with it.
		{"empty", "", nil, map[string]bool{inGo: true, inSvix: true}},
		{"only the prefix", "whsec_", nil, map[string]bool{inGo: true, inSvix: true}},
		// A key with so few bytes can be guessed.
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

// node is the program in testdata/standardwebhooks, which uses the npm package.
type node struct {
	requests  io.Writer
	responses *bufio.Reader
}

// openNode starts the program for one test. Without Node.js, it skips the test, and fails it in
// .ci/run.
func openNode(t *testing.T) func(string) (webhook, error) {
	t.Helper()
	const dir = "testdata/standardwebhooks"
	program, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "standardwebhooks"))
	}
	if err != nil {
		text := fmt.Sprintf("the npm package standardwebhooks is not installed: bash .ci/node installs it (%v)", err)
		if os.Getenv("CI") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	cmd := exec.CommandContext(t.Context(), program, filepath.Join(dir, "signer.js"))
	cmd.Stderr = os.Stderr
	requests, err := cmd.StdinPipe()
	require.NoError(t, err)
	responses, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	n := &node{requests, bufio.NewReader(responses)}
	t.Cleanup(func() {
		_ = requests.Close() // it ends with its input
		_ = cmd.Wait()
	})
	return func(secret string) (webhook, error) { return nodeWebhook{n, secret}, nil }
}

// nodeWebhook is a secret, which is sent to the package with each message.
type nodeWebhook struct {
	node   *node
	secret string
}

func (w nodeWebhook) Sign(id string, at time.Time, body []byte) (string, error) {
	return w.node.ask(map[string]any{"op": "sign", "secret": w.secret, "id": id, "timestamp": at.Unix(), "body": body})
}

// Verify passes the headers as a server in Node.js does: in lower case, and with several values
// joined.
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

// ask returns the signature of the program's response. A []byte is base64 in JSON.
func (n *node) ask(request map[string]any) (string, error) {
	if body, ok := request["body"].([]byte); ok && body == nil {
		request["body"] = []byte{} // and not null
	}
	line, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	if _, err := n.requests.Write(append(line, '\n')); err != nil {
		return "", err
	}
	line, err = n.responses.ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("the program ended: %w", err)
	}
	var response struct{ Signature, Error string }
	if err := json.Unmarshal(line, &response); err != nil {
		return "", err
	}
	if response.Error != "" {
		return "", errors.New(response.Error)
	}
	return response.Signature, nil
}
