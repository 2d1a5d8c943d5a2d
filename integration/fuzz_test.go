package integration_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var fuzzRequests = flag.Int("requests", 300, "how many requests TestFuzz sends to each of the two APIs of moment-mock")

// Requests made from the descriptions, and changed at random. Each response must be one that the
// description has for the operation. A request that does not fit the description must be rejected,
// and one that does must not be rejected as malformed.
//
// The whole of it is go -C integration test -run '^TestFuzz$' -v -requests=30000 .
func TestFuzz(t *testing.T) {
	for _, file := range []string{"openapi.yaml", "mock.yaml"} {
		t.Run(file, func(t *testing.T) {
			seed := rand.Uint64()
			endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader([]int{200, 204, 400, 500}[rand.IntN(4)])
			}))
			t.Cleanup(endpoint.Close)
			m := startMock(t, "--retry=now", "--forward-to="+endpoint.URL)
			f := newFuzzer(t, "../api/"+file, m.url, seed)
			f.known = append(f.known, endpoint.URL, "http://127.0.0.1:1", "")
			statuses := map[int]int{}
			for n := range *fuzzRequests {
				status, wrong := f.request(t)
				statuses[status]++
				if !assert.Empty(t, wrong, "seed %d, request %d", seed, n) && t.Failed() && f.wrong > 10 {
					break
				}
			}
			t.Logf("%d requests, %d mismatches, seed %d, statuses %v", *fuzzRequests, f.wrong, seed, statuses)
		})
	}
}

// fuzzer makes requests from a description.
type fuzzer struct {
	*rand.Rand

	url        string
	document   map[string]any
	compiler   *jsonschema.Compiler
	compiled   map[string]*jsonschema.Schema
	operations []fuzzOperation
	known      []string // ids, references and other texts that may fit somewhere
	wrong      int
}

type fuzzOperation struct {
	method, path string
	pointer      string // to the operation in the document
	operation    map[string]any
	parameters   []any // all shared by the operations of the path, or all its own
}

const document = "https://description.test/openapi.json"

func newFuzzer(t *testing.T, path, url string, seed uint64) *fuzzer {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	f := &fuzzer{Rand: rand.New(rand.NewPCG(seed, 0)), url: url, compiled: map[string]*jsonschema.Schema{}, compiler: jsonschema.NewCompiler()}
	var read any
	require.NoError(t, yaml.Unmarshal(text, &read))
	asJSON, err := json.Marshal(read)
	require.NoError(t, err)
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	require.NoError(t, err)
	f.document = decoded.(map[string]any)
	f.compiler.AssertFormat()
	require.NoError(t, f.compiler.AddResource(document, decoded))
	for path, item := range f.document["paths"].(map[string]any) {
		shared, _ := item.(map[string]any)["parameters"].([]any)
		for method, operation := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			own, _ := operation.(map[string]any)["parameters"].([]any)
			pointer := "/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + method
			f.operations = append(f.operations, fuzzOperation{strings.ToUpper(method), path, pointer, operation.(map[string]any), slices.Concat(shared, own)})
		}
	}
	slices.SortFunc(f.operations, func(a, b fuzzOperation) int { return strings.Compare(a.pointer, b.pointer) })
	f.known = []string{
		"UCR1", "UAR1", "UBR1", "UCR2", "UBR2", "bcus_1", "bacc_1", "bill_1", "pr_1", "pay_1", "msg_1", "ZAR", "JPY", "QQQ", "link", "push", "capitec",
		"2025-01-31", "2025-02-30", "2025-01-31T12:00:00Z", "2300-01-01T00:00:00Z", "+27123456789", "5s", "1h30m", "10m", "15.00", "1", "0.001", "0", "john.doe@example.com",
		"now", "hold", "never", "card", "eft", "current", "previous", "status", "service_error", "truncate", "delay", "create bill", "void bill",
		"bill.created", "x", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_", "sk_test_x", "<\u2028>", "\u0000", strings.Repeat("x", 256), strings.Repeat("y", 501),
	}
	return f
}

// request sends one, and returns what is wrong with the response.
func (f *fuzzer) request(t *testing.T) (status int, wrong string) {
	t.Helper()
	op := f.operations[f.IntN(len(f.operations))]
	path, header, query, fits := op.path, http.Header{"Authorization": {"Bearer sk_test_YOUR_SECRET_KEY"}}, url.Values{}, true
	for i, parameter := range op.parameters {
		p, at := f.resolve(parameter)
		if at == "" {
			at = op.pointer + "/parameters/" + strconv.Itoa(i)
		}
		name, in := p["name"].(string), p["in"].(string)
		value := f.text(f.value(at+"/schema", p["schema"].(map[string]any), 0))
		switch {
		case name == "Idempotency-Key" && f.IntN(10) > 0:
			value = strconv.FormatUint(f.Uint64(), 36)
		case in == "path" && f.IntN(5) > 0:
			value = f.existing(name)
		}
		if in != "path" && f.IntN(10) == 0 {
			value = f.text(f.junk())
		}
		required := p["required"] == true
		if in != "path" && (!required && f.IntN(2) == 0 || f.IntN(20) == 0) {
			fits = fits && !required
			continue
		}
		switch in {
		case "path":
			path = strings.Replace(path, "{"+name+"}", url.PathEscape(value), 1)
		case "query":
			query.Set(name, value)
		default:
			if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
				value = "no header"
			}
			header.Set(name, value)
		}
		fits = fits && f.fits(at+"/schema", p["schema"].(map[string]any), value)
	}
	var body []byte
	if content, ok := op.operation["requestBody"]; ok {
		at := op.pointer + "/requestBody/content/application~1json/schema"
		schema := content.(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
		value := f.value(at, schema, 0)
		if f.IntN(3) == 0 {
			value = f.changed(value)
		}
		body, _ = json.Marshal(value) //nolint:errchkjson // it was JSON before
		fits = fits && f.validate(at, value) == nil
		header.Set("Content-Type", "application/json")
		switch f.IntN(50) {
		case 0:
			body, fits = body[:len(body)-1], false
		case 1:
			header.Set("Content-Type", "text/plain")
			fits = false
		}
	}
	rejected := 0
	security, _ := op.operation["security"].([]any)
	switch _, admin := f.document["security"].([]any); {
	case f.IntN(40) == 0:
		header.Set("Origin", "https://evil.example")
		rejected = 403
	case f.IntN(40) == 0 && admin && security == nil && len(f.document["security"].([]any)) > 0:
		header.Del("Authorization")
		rejected = 401
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := http.NewRequest(op.method, f.url+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header = header
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	respBody, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	wrong = f.check(op, resp, respBody, fits, rejected)
	if wrong != "" {
		f.wrong++
		wrong = fmt.Sprintf("%s\n%s %s %.300s\n%d %.300s", wrong, op.method, path, body, resp.StatusCode, respBody)
	}
	f.learn(respBody)
	return resp.StatusCode, wrong
}

// check compares a response with the description.
func (f *fuzzer) check(op fuzzOperation, resp *http.Response, body []byte, fits bool, rejected int) string {
	described, ok := op.operation["responses"].(map[string]any)[strconv.Itoa(resp.StatusCode)]
	switch {
	case !ok:
		return "no such status is described"
	case rejected != 0 && resp.StatusCode != rejected:
		return fmt.Sprintf("it is not %d", rejected)
	case rejected == 0 && !fits && resp.StatusCode < 400:
		return "the request does not fit the description, and is accepted"
	case rejected == 0 && fits && (resp.StatusCode == 400 || resp.StatusCode == 415) && !bytes.Contains(body, []byte("currency is required with a balance")):
		return "the request fits the description, and is rejected as malformed"
	}
	response, at := f.resolve(described)
	if at == "" {
		at = op.pointer + "/responses/" + strconv.Itoa(resp.StatusCode)
	}
	content, _ := response["content"].(map[string]any)
	if content == nil {
		if len(body) > 0 {
			return "no content is described"
		}
		return ""
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if _, ok := content[mediaType]; !ok {
		return "no content of the type " + mediaType + " is described"
	}
	if !strings.HasSuffix(mediaType, "json") {
		return ""
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = f.validate(at+"/content/"+strings.ReplaceAll(mediaType, "/", "~1")+"/schema", value)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// resolve follows a reference.
func (f *fuzzer) resolve(value any) (object map[string]any, pointer string) {
	object = value.(map[string]any)
	reference, ok := object["$ref"].(string)
	if !ok {
		return object, ""
	}
	pointer = strings.TrimPrefix(reference, "#")
	object = f.document
	for _, name := range strings.Split(pointer, "/")[1:] {
		object = object[name].(map[string]any)
	}
	return object, pointer
}

func (f *fuzzer) validate(pointer string, value any) error {
	schema, ok := f.compiled[pointer]
	if !ok {
		schema = f.compiler.MustCompile(document + "#" + strings.ReplaceAll(strings.ReplaceAll(pointer, "{", "%7B"), "}", "%7D"))
		f.compiled[pointer] = schema
	}
	return schema.Validate(value)
}

// fits reports whether the text of a parameter fits: as a number, if the schema requires one.
func (f *fuzzer) fits(pointer string, schema map[string]any, text string) bool {
	var value any = text
	if schema["type"] == "integer" {
		value = json.Number(text)
		if n, err := strconv.ParseInt(text, 10, 64); err != nil || strconv.FormatInt(n, 10) != text {
			return false
		}
	}
	return f.validate(pointer, value) == nil
}

func (f *fuzzer) text(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, _ := json.Marshal(value) //nolint:errchkjson // likewise
	return string(text)
}

// existing returns an id of the kind that a path parameter names.
func (f *fuzzer) existing(parameter string) string {
	prefix := map[string]string{"customer": "bcus_", "account": "bacc_", "bill": "bill_", "payment_request": "pr_", "payment": "pay_", "message": "msg_"}[parameter]
	for range 100 {
		if id := f.known[f.IntN(len(f.known))]; strings.HasPrefix(id, prefix) {
			return id
		}
	}
	return prefix + "1"
}

// learn keeps ids that a response has.
func (f *fuzzer) learn(body []byte) {
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		return
	}
	for _, name := range []string{"id", "payment_id", "message_id"} {
		if id, ok := object[name].(string); ok && id != "" {
			f.known = append(f.known, id)
		}
	}
	if len(f.known) > 300 {
		f.known = slices.Delete(f.known, 80, 200)
	}
}
