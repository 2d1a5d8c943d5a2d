package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The test's own program is the service, as the benchmarks' is.
func TestMain(m *testing.M) {
	if protocol, ok := os.LookupEnv(serveVariable); ok {
		exitOn(serve(protocol, os.Stdin, os.Stdout))
		return
	}
	os.Exit(m.Run())
}

// Each contender sends a request that its service would understand, and decodes the response,
// because a contender that did less would be the fastest.
func TestCalls(t *testing.T) {
	for _, k := range sdks {
		t.Run(k.name, func(t *testing.T) {
			var got []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				text := new(strings.Builder)
				_ = r.Write(text)
				got = append(got, text.String())
				r.Body = http.NoBody
				respond(w, r)
			}))
			t.Cleanup(server.Close)
			c, err := k.open(server.URL, nil)
			require.NoError(t, err)
			require.NoError(t, checked(c.create, k.id)())
			require.NoError(t, checked(c.get, k.id)())
			require.Len(t, got, 2)
			create, body, _ := strings.Cut(got[0], "\r\n\r\n")
			assert.True(t, strings.HasPrefix(create, "POST "+k.path+" "), create)
			for _, want := range []string{"John", "UCR1234567890"} {
				assert.Contains(t, body, want)
			}
			assert.True(t, strings.HasPrefix(got[1], "GET "+k.path+"/"), got[1])
			for _, request := range got {
				assert.Contains(t, request, "Authorization: Bearer "+apiKey)
			}
		})
	}
}

// A contender detects another id in the response, in memory too.
func TestCallsAreDecoded(t *testing.T) {
	for _, k := range sdks {
		other := strings.ReplaceAll(k.response, k.id, strings.Replace(k.id, "4", "5", 1))
		for _, row := range []struct {
			response string
			good     bool
		}{{k.response, true}, {other, false}} {
			c, err := k.open("http://127.0.0.1", memory(row.response))
			require.NoError(t, err, k.name)
			assert.Equal(t, row.good, checked(c.create, k.id)() == nil, k.name)
			assert.Equal(t, row.good, checked(c.get, k.id)() == nil, k.name)
		}
	}
}

// The connections are counted, and every call uses the protocol.
func TestLoad(t *testing.T) {
	for _, protocol := range []string{plain, secure, http2} {
		for _, k := range sdks {
			took, opened, err := callAtOnce(k, protocol, 2*callers)
			require.NoError(t, err, "%s, %s", k.name, protocol)
			assert.Positive(t, took)
			assert.Positive(t, opened, "%s, %s", k.name, protocol)
		}
	}
}

// A wrong signature is rejected, and a right one is accepted.
func TestReceivers(t *testing.T) {
	now, long := time.Now(), time.Now().Add(-time.Hour)
	receivers, err := newReceivers(now)
	require.NoError(t, err)
	late, err := newReceivers(long)
	require.NoError(t, err)
	for i, r := range receivers {
		body := []byte(momentEvent)
		verify := r.verify(body)
		assert.NoError(t, verify(), r.name)
		body[20]++
		assert.Error(t, verify(), r.name)
		assert.NoError(t, r.decode()(), r.name)
		if i > 0 { // the first is bare
			assert.Error(t, late[i].decode()(), r.name)
		}
	}
	for _, event := range []string{momentEvent, stripeEvent, paddleEvent} {
		assert.InDelta(t, 400, len(event), 50)
	}
}

func TestMoney(t *testing.T) {
	formatters, parsers, err := moneyContenders()
	require.NoError(t, err)
	for _, c := range append(formatters, parsers...) {
		assert.NoError(t, c.run(), c.name)
	}
}

func TestMedian(t *testing.T) {
	values := []float64{5, 1, 4, 2}
	assert.InDelta(t, 3, medianOf(4, func(i int) float64 { return values[i] }), 0)
	assert.InDelta(t, 4, medianOf(3, func(i int) float64 { return values[i] }), 0)
}

// The README states the ratio of one create in memory. If this fails after -write, correct the
// README.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	results, err := os.ReadFile(resultsFile)
	require.NoError(t, err)
	_, create, found := strings.Cut(string(results), "\n## One create in memory\n")
	require.True(t, found)
	ratio := regexp.MustCompile(`\| moment-go \| ([\d.]+) \|`).FindStringSubmatch(create)
	require.Len(t, ratio, 2)
	assert.Contains(t, strings.Join(strings.Fields(string(readme)), " "), "a create takes "+ratio[1]+" times as long as the same call written by hand on `net/http`")
}
