package integration_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// The commands of moment-mock, as scripts: testdata/scripts/*.txtar. Each has a moment-mock that
// serves, and an endpoint whose status the command endpoint sets.
func TestMockCommands(t *testing.T) {
	program, err := mockProgram()
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scripts",
		Setup: func(env *testscript.Env) error {
			var status atomic.Int64
			status.Store(http.StatusNoContent)
			endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
			env.Defer(endpoint.Close)
			m := startMock(t, "--forward-to="+strings.TrimPrefix(endpoint.URL, "http://"), "--seed="+filepath.Join("testdata", "scripts", "seed.json"))
			env.Defer(m.kill)
			env.Vars = append(env.Vars, "MOMENT_BASE_URL="+m.url, "PATH="+filepath.Dir(program)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Values["status"] = &status
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// endpoint down, endpoint up
			"endpoint": func(ts *testscript.TestScript, _ bool, args []string) {
				status := map[string]int64{"up": http.StatusNoContent, "down": http.StatusServiceUnavailable}[args[0]]
				ts.Value("status").(*atomic.Int64).Store(status)
			},
			// message: sets MESSAGE to the first message id of the last standard output
			"message": func(ts *testscript.TestScript, _ bool, _ []string) {
				out := ts.ReadFile("stdout")
				i := strings.Index(out, "msg_")
				if i < 0 {
					ts.Fatalf("no message id in %q", out)
				}
				ts.Setenv("MESSAGE", out[i:i+len("msg_")+21])
			},
		},
	})
}
