package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// reply is the response to a create.
type reply struct {
	status   int
	body     string
	replayed bool
}

// create raises a bill for a new customer, under the key of its number.
func (m *running) create(n int) (reply, error) {
	body := fmt.Sprintf(`{"external_reference": "UBR-%d", "currency": "ZAR", "amount_due": 2000, "customer": {"external_reference": "UCR-%d", "name": "<Jane & Roe>"}}`, n, n)
	return m.send(http.MethodPost, "/billing/bills", body, fmt.Sprint("key-", n))
}

func (m *running) send(method, path, body, key string) (reply, error) {
	req, err := http.NewRequest(method, m.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+anyKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := m.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(text), resp.Header.Get("Idempotent-Replayed") == "true"}, err
}

// readState reads a state file as it is at this moment.
func readState(t *testing.T, path string) (c contents) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, file.Close()) }()
	c, _, found, err := readContents(file)
	require.NoError(t, err)
	require.True(t, found)
	return c
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

// Each change with a response survives kill -9 at any moment.
func TestKill(t *testing.T) {
	const creates, workers, kills = 200, 8, 6
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	folder := t.TempDir()
	path := filepath.Join(folder, "mock.json")
	var replies [creates]reply // status 0: no response yet
	var checked [creates]bool
	for round := range kills + 1 {
		m := launch(t, "--state", path)
		stopWatching := watch(t, path)
		work := make(chan int, creates)
		for n, first := range replies {
			switch {
			case first.status == 0:
				work <- n
			case !checked[n]:
				isKept(t, m, n, first)
				checked[n] = true
			}
		}
		close(work)
		responded := make(chan bool, creates)
		var running sync.WaitGroup
		enough := random.IntN(1 + len(work)/(kills-round+1))
		for range workers {
			running.Go(func() {
				for n := range work {
					r, err := m.create(n)
					if err != nil {
						return // it was killed
					}
					replies[n] = r
					responded <- true
				}
			})
		}
		go func() {
			running.Wait()
			close(responded)
		}()
		if round < kills {
			for range enough {
				<-responded
			}
			m.kill() // while the others are in flight
			running.Wait()
			assert.Equal(t, -1, m.wait(t))
		} else {
			running.Wait()
			for n, first := range replies {
				isKept(t, m, n, first)
			}
			m.end()
			assert.Zero(t, m.wait(t), m.stderr)
		}
		stopWatching()
		assert.Subset(t, []string{"mock.json", "mock.json.lock", "mock.json.tmp"}, files(t, folder))
	}
	kept := readState(t, path).State
	assert.Len(t, kept.Customers, creates)
	assert.Len(t, kept.Bills, creates)
	assert.Len(t, kept.Responses, creates)
	assert.Equal(t, []string{"mock.json", "mock.json.lock"}, files(t, folder), "nothing is left behind")
}

// isKept checks that a bill and its idempotency key are as in the response.
func isKept(t *testing.T, m *running, n int, first reply) {
	t.Helper()
	assert.Equal(t, 201, first.status, first.body)
	again, err := m.create(n)
	require.NoError(t, err)
	assert.Equal(t, reply{201, first.body, true}, again)
	got, err := m.send(http.MethodGet, fmt.Sprint("/billing/bills/UBR-", n), "", "")
	require.NoError(t, err)
	assert.Equal(t, reply{200, first.body, false}, got)
}

// watch reads a file again and again, until the function that it returns is called: it must always
// be whole.
func watch(t *testing.T, path string) (stop func()) {
	t.Helper()
	stopped := make(chan bool)
	var watching sync.WaitGroup
	watching.Go(func() {
		for often := time.Tick(10 * time.Millisecond); ; {
			select {
			case <-stopped:
				return
			case <-often:
			}
			text, err := os.ReadFile(path)
			if !assert.NoError(t, err) {
				return
			}
			if _, _, _, err := readContents(bytes.NewReader(text)); !assert.NoError(t, err, "%s", text) {
				return
			}
		}
	})
	return func() {
		close(stopped)
		watching.Wait()
		readState(t, path)
	}
}

// A restart keeps everything: objects of all kinds, payments, voids, updates, saved errors and the
// secret.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mock.json")
	e := newEndpoint(t)
	m := start(t, nil, "--state", path, "--forward-to", e.URL)
	e.trust(t, m.secret)
	assert.Contains(t, m.stdout.String(), "  Data is kept in  "+path+"\n")
	for _, call := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/billing/bills", `{"external_reference": "UBR-1", "currency": "ZAR", "amount_due": 2000, "bill_date": "0001-01-01", "due_date": "9999-12-31", "metadata": {"": "", "<>&\u2028": "\u0000"},
			"account": {"external_reference": "UAR-1", "name": "", "customer": {"external_reference": "UCR-1", "name": "\ud800 ÿ \"", "phone": "+27123456789"}}}`, 201},
		{"POST", "/billing/bills", `{"external_reference": "UBR-2", "currency": "QQQ", "amount_due": 99999999, "customer": "UCR-1"}`, 201},
		{"POST", "/billing/bills", `{"external_reference": "UBR-2", "currency": "ZAR", "amount_due": 2000, "customer": "UCR-1"}`, 409},
		{"POST", "/billing/customers", `{"external_reference": "UCR-2", "currency": "JPY", "balance": -10}`, 201},
		{"PATCH", "/billing/customers/UCR-2", `{"balance": 0, "metadata": {}}`, 200},
		{"PATCH", "/billing/bills/UBR-1", `{"amount_paid": 500}`, 200},
		{"POST", "/_mock/payments", `{"to": "UBR-1", "amount": "15.00"}`, 200},
		{"POST", "/_mock/payments", `{"to": "UCR-2", "amount": "15"}`, 200},
		{"POST", "/billing/bills/UBR-2/void", ``, 200},
	} {
		r, err := m.send(call.method, call.path, call.body, moment.NewIdempotencyKey())
		require.NoError(t, err)
		require.Equal(t, call.status, r.status, "%s %s: %s", call.method, call.path, r.body)
	}
	objects := []string{"bills/UBR-1", "bills/UBR-2", "accounts/UAR-1", "customers/UCR-1", "customers/UCR-2"}
	before := map[string]string{}
	for _, object := range objects {
		before[object] = get(t, m, object)
	}
	m.end()
	assert.Zero(t, m.wait(t), m.stderr)
	kept := readState(t, path)
	assert.Len(t, kept.Payments, 2)
	assert.Len(t, kept.Outbox, 2)
	assert.True(t, kept.Outbox[1].Acknowledged())

	again := start(t, nil, "--state", path, "--forward-to", e.URL)
	assert.Equal(t, m.secret, again.secret)
	for _, object := range objects {
		assert.Equal(t, before[object], get(t, again, object))
	}
	for len(e.events) > 0 {
		<-e.events
	}
	code, _, stderr := execute(t, nil, "pay", "--url", again.url, "UCR-1", "1")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "has no currency")
	code, _, stderr = execute(t, nil, "pay", "--url", again.url, "UCR-2", "1")
	assert.Zero(t, code, stderr)
	e.event(t)
	again.end()
	assert.Zero(t, again.wait(t))

	// But for that payment, the file is as it was.
	after := readState(t, path)
	after.Payments = after.Payments[:2]
	after.PaymentDetails = after.PaymentDetails[:2]
	after.Outbox = after.Outbox[:2]
	assert.Equal(t, kept, after)
	info, err := os.Stat(path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func get(t *testing.T, m *running, object string) string {
	t.Helper()
	r, err := m.send(http.MethodGet, "/billing/"+object, "", "")
	require.NoError(t, err)
	require.Equal(t, 200, r.status, r.body)
	return r.body
}

// The secret of the environment goes before that of the file, and does not get into it.
func TestSecretOfTheEnvironmentIsNotKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mock.json")
	m := start(t, environment{"MOMENT_WEBHOOK_SECRET": ours}, "--state", path)
	m.end()
	assert.Zero(t, m.wait(t))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(text), ours)
	made := readState(t, path).WebhookSecret

	e := newEndpoint(t)
	e.trust(t, ours)
	m = start(t, environment{"MOMENT_WEBHOOK_SECRET": ours}, "--state", path, "--forward-to", e.URL)
	createCustomer(t, m)
	code, _, stderr := execute(t, nil, "pay", "--url", m.url, "UCR-1", "15.00")
	assert.Zero(t, code, stderr)
	m.end()
	assert.Zero(t, m.wait(t))
	assert.Equal(t, made, start(t, nil, "--state", path).secret)
}

// A file that cannot be used is named, and left unchanged.
func TestBadStateFile(t *testing.T) {
	whole, err := json.Marshal(contents{version, ours, momenttest.State{Customers: []moment.Customer{{ID: "bcus_1", ExternalReference: "UCR-1"}}}})
	require.NoError(t, err)
	text := string(whole)
	const anew = ": move the file away to start without data"
	change := func(from, to string) string {
		require.Contains(t, text, from)
		return strings.Replace(text, from, to, 1)
	}
	for _, row := range []struct{ why, text, says string }{
		{"truncated in its first object", text[:len(text)-2], "invalid, and left unchanged: unexpected EOF" + anew},
		{"something after its end", text + "}", "invalid, and left unchanged: invalid character '}' looking for beginning of value" + anew},
		{"a change that is not JSON", text + "\n{]\n", "invalid, and left unchanged: invalid character ']' looking for beginning of object key string" + anew},
		{"something else", `{"name": "package", "dependencies": {}}`, `invalid, and left unchanged: json: unknown field "name"` + anew},
		{"of an earlier moment-mock", `{"version":2,"webhook_secret":"","state":{}}`, "not of version 3, and left unchanged" + anew},
		{"of a later moment-mock", change(`"version":3`, `"version":4,"more":1`), "not of version 3, and left unchanged" + anew},
		{"a member that would be lost", change(`"version":3`, `"version":3,"more":1`), `invalid, and left unchanged: json: unknown field "more"` + anew},
		{"a change of another version", text + `{"version":4}`, "not of version 3, and left unchanged" + anew},
		{"a secret that signs nothing", change(ours, "whsec_"), "invalid, and left unchanged: webhook_secret: must be whsec_ and base64 of at least 16 bytes" + anew},
		{"an object that the service rejects", change(`"UCR-1"`, `""`), "invalid, and left unchanged: Customers[0]: external_reference is required" + anew},
	} {
		t.Run(row.why, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mock.json")
			require.NoError(t, os.WriteFile(path, []byte(row.text), 0o600))
			code, stdout, stderr := execute(t, nil, "--listen", "127.0.0.1:0", "--state", path)
			assert.Equal(t, 1, code)
			assert.Empty(t, stdout)
			assert.Equal(t, "moment-mock: the state file "+path+": "+row.says+"\n", stderr)
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, row.text, string(left))
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			start(t, nil, "--state", path) // and it is not locked
		})
	}
}

func TestNoStateFile(t *testing.T) {
	folder, err := os.MkdirTemp("", "mock") //nolint:usetesting // the name of a socket must be short
	require.NoError(t, err)
	defer func() { assert.NoError(t, os.RemoveAll(folder)) }()
	socket, err := net.Listen("unix", filepath.Join(folder, "socket"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, socket.Close()) }()
	require.NoError(t, os.Symlink(filepath.Join(folder, "none.json"), filepath.Join(folder, "link.json")))
	for _, row := range []struct{ why, path, says string }{
		{"a link, which would be replaced by the file", filepath.Join(folder, "link.json"), ": a link to a file that is not there: create the file, or remove the link"},
		{"no such folder", filepath.Join(folder, "none", "mock.json"), ": open .*: no such file or directory: its folder must exist, and moment-mock must be allowed to write to it"},
		{"a folder", folder, ": not a regular file: pass the path of a file, which need not exist yet"},
		{"a socket, which must not be replaced, nor must a device", filepath.Join(folder, "socket"), ": not a regular file: pass the path of a file, which need not exist yet"},
	} {
		t.Run(row.why, func(t *testing.T) {
			code, stdout, stderr := execute(t, nil, "--listen", "127.0.0.1:0", "--state", row.path)
			assert.Equal(t, 1, code)
			assert.Empty(t, stdout)
			assert.Regexp(t, "^moment-mock: the state file "+row.path+row.says+"\n$", stderr)
		})
	}
}

// A second process would overwrite what the first has kept. When the first has ended, however, the
// next may begin.
func TestOneProcessPerStateFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no lock on Windows")
	}
	folder := t.TempDir()
	path, link := filepath.Join(folder, "mock.json"), filepath.Join(folder, "link.json")
	require.NoError(t, os.Symlink(path, link))
	first := launch(t, "--state", path)
	for _, name := range []string{path, link} {
		code, stdout, stderr := execute(t, nil, "--listen", "127.0.0.1:0", "--state", name)
		assert.Equal(t, 1, code)
		assert.Empty(t, stdout)
		assert.Equal(t, "moment-mock: the state file "+name+": in use by another moment-mock: stop that, or choose another file\n", stderr)
	}
	first.kill()
	first.wait(t)
	launch(t, "--state", link)
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "the link is still one")
}

// If the port is in use, no file is left behind.
func TestStateIsNotWrittenBeforeItListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mock.json")
	m := start(t, nil)
	code, _, _ := execute(t, nil, "--listen", strings.TrimPrefix(m.url, "http://"), "--state", path)
	assert.Equal(t, 1, code)
	assert.NoFileExists(t, path)
}

// A change that cannot be stored gets no response, and the program ends.
func TestSaveFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mock.json")
	var failed error
	file, _, _, err := openStateFile(path, func(err error) { failed = err; runtime.Goexit() })
	require.NoError(t, err)
	defer file.close()
	m := newMock(defaultListen, nil, momenttest.WithJournal(file))
	defer m.fake.Close()
	require.NoError(t, m.fake.Restore(momenttest.State{}))
	require.NoError(t, file.file.Close())
	responded := false
	ended := make(chan bool)
	go func() {
		defer close(ended)
		r := httptest.NewRequest(http.MethodPost, "/billing/customers", strings.NewReader(`{"external_reference": "UCR-1"}`))
		r.Header = http.Header{"Authorization": {"Bearer " + anyKey}, "Content-Type": {"application/json"}, "Idempotency-Key": {"k"}}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		responded = true
	}()
	<-ended
	assert.False(t, responded)
	require.ErrorIs(t, failed, os.ErrClosed)
}

// A file that cannot be replaced, as one that is mounted by itself into a container, is written to.
func TestFileThatCannotBeReplaced(t *testing.T) {
	for _, row := range []struct{ why, text string }{
		{"an empty file, as one is that was made to be mounted", ""},
		{"a file that a process left in the middle of a change", `{"customers":[{"id":"bcus_1","external_reference":"other"}]}` + "\n" + `{"customers":[{"id":"bcus_2","ext`},
	} {
		t.Run(row.why, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mock.json")
			require.NoError(t, os.WriteFile(path, []byte(row.text), 0o600))
			require.NoError(t, os.MkdirAll(filepath.Join(path+".tmp", "obstacle"), 0o700))
			had := strings.Count(row.text, "\n")
			var first reply
			for run := range 3 {
				m := launch(t, "--state", path)
				r, err := m.create(1)
				require.NoError(t, err)
				assert.Equal(t, run > 0, r.replayed)
				if run == 0 {
					first = r
				}
				isKept(t, m, 1, first)
				r, err = m.send(http.MethodDelete, "/_mock/faults", "", "")
				require.NoError(t, err)
				require.Equal(t, 204, r.status)
				m.kill()
				m.wait(t)
				assert.Len(t, readState(t, path).Customers, had+1)
			}
			m := launch(t, "--state", path)
			_, err := m.send(http.MethodDelete, "/_mock/state", "", "")
			require.NoError(t, err)
			m.kill()
			m.wait(t)
			assert.Empty(t, readState(t, path).Customers, "a reset is kept too")
		})
	}
}

// A folder that cannot be read cannot be synced, but files in it can be replaced. Nothing is lost.
func TestFolderThatCannotBeSynced(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "mock.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"customers":[{"id":"bcus_1","external_reference":"other"}]}`+strings.Repeat("\n", 1000)), 0o600))
	require.NoError(t, os.Chmod(folder, 0o300))                       //nolint:gosec // not readable
	t.Cleanup(func() { require.NoError(t, os.Chmod(folder, 0o700)) }) //nolint:gosec // for the removal
	if syncFolder(folder) == nil {
		t.Skip("this user or system can sync any folder")
	}
	for run := range 2 {
		m := launch(t, "--state", path)
		r, err := m.create(1)
		require.NoError(t, err)
		assert.Equal(t, run > 0, r.replayed)
		m.kill()
		m.wait(t)
		assert.Len(t, readState(t, path).Customers, 2)
	}
}

// A killed process may leave a line that is truncated at any byte. The lines before it are kept.
func TestTruncatedLine(t *testing.T) {
	first := `{"version":3,"webhook_secret":"` + ours + `","customers":[{"id":"bcus_1","external_reference":"UCR-1"}]}` + "\n"
	line := `{"customers":[{"id":"bcus_1","external_reference":"UCR-1","name":"Jane"}],"clock_offset":5}` + "\n"
	for end := range len(line) {
		c, at, found, err := readContents(strings.NewReader(first + line[:end]))
		require.NoError(t, err, end)
		require.True(t, found)
		whole := end == len(line)-1
		require.Equal(t, whole, c.Customers[0].Name == "Jane")
		require.Len(t, c.Customers, 1)
		if !whole {
			require.LessOrEqual(t, at, int64(len(first)))
		}
	}
}

// Objects replace those with the same id, and a version replaces everything.
func TestChanges(t *testing.T) {
	c, _, _, err := readContents(strings.NewReader(`
		{"version": 3, "customers": [{"external_reference": "a"}, {"external_reference": "b"}, {"id": "bcus_1", "external_reference": "c"}]}
		{"customers": [{"id": "bcus_1", "external_reference": "c", "name": "Jane"}, {"id": "bcus_2", "external_reference": "d"}], "clock_offset": 1}
		{"responses": [{"idempotency_key": "k", "status": 409}], "outbox": [{"message_id": "msg_1"}], "clock_offset": 2}
		{"responses": [{"idempotency_key": "k", "status": 201}], "outbox": [{"message_id": "msg_1", "attempts": [{"status": 204}]}], "clock_offset": 0}`))
	require.NoError(t, err)
	require.Len(t, c.Customers, 4)
	require.Equal(t, "Jane", c.Customers[2].Name)
	require.Len(t, c.Responses, 1)
	require.Equal(t, 201, c.Responses[0].Status)
	require.Len(t, c.Outbox, 1)
	require.True(t, c.Outbox[0].Acknowledged())
	require.Zero(t, c.ClockOffset)
	c, _, _, err = readContents(strings.NewReader(`{"version": 3, "bills": [{"id": "bill_1"}]} {"version": 3, "customers": [{"id": "bcus_1"}]}`))
	require.NoError(t, err)
	require.Empty(t, c.Bills)
	require.Len(t, c.Customers, 1)
}

// Concurrent changes share few writes to the disk.
func TestGroupCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mock.json")
	file, _, _, err := openStateFile(path, func(err error) { panic(err) })
	require.NoError(t, err)
	defer file.close()
	file.Append(momenttest.State{}) // before the state is complete, nothing is written
	file.Sync()
	require.NoFileExists(t, path)
	file.Replace(momenttest.State{})
	var writers sync.WaitGroup
	for i := range 100 {
		writers.Go(func() {
			file.Append(momenttest.State{Customers: []moment.Customer{{ID: fmt.Sprint("bcus_", i)}}})
			file.Sync()
			text, err := os.ReadFile(path)
			assert.NoError(t, err)
			assert.Contains(t, string(text), fmt.Sprintf(`"bcus_%d"`, i), "after Sync, it is in the file")
		})
	}
	writers.Wait()
	require.Len(t, readState(t, path).Customers, 100)
}
