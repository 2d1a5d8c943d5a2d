package integration_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mockProgram builds moment-mock once for all tests.
var mockProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "moment-mock")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "moment-mock")
	build := exec.Command("go", "build", "-o", path, "./cmd/moment-mock")
	build.Dir = ".."
	build.Stderr = os.Stderr
	return path, build.Run()
})

// mockProcess is a moment-mock that serves.
type mockProcess struct {
	url, secret string
	process     *exec.Cmd
}

// startMock starts one on a free port, unless args say otherwise. It ends with the test.
func startMock(t *testing.T, args ...string) *mockProcess {
	t.Helper()
	path, err := mockProgram()
	require.NoError(t, err)
	m := &mockProcess{process: exec.Command(path, append([]string{"--listen=127.0.0.1:0"}, args...)...)}
	stdout, err := m.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, m.process.Start())
	t.Cleanup(m.kill)
	late := time.AfterFunc(patience, m.kill)
	defer late.Stop()
	for lines := bufio.NewScanner(stdout); m.secret == "" && lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "  export "), "=")
		switch name {
		case "MOMENT_BASE_URL":
			m.url = value
		case "MOMENT_WEBHOOK_SECRET":
			m.secret = value
		}
	}
	require.NotEmpty(t, m.secret, "moment-mock does not start")
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return m
}

// kill is kill -9.
func (m *mockProcess) kill() {
	_ = m.process.Process.Kill()
	_ = m.process.Wait()
}
