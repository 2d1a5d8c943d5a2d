package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// process is a process of the program. It is started again whenever it ends, as Kubernetes or
// systemd would do.
type process struct {
	name string
	log  string // a path

	mu     sync.Mutex
	cmd    *exec.Cmd
	ending bool
	ended  chan struct{}
	result error // of the last process
}

// startProcess starts a command in a process of its own, which ends with the test at the latest. If
// the test fails, its log contains the log of the process.
func startProcess(t *testing.T, program, name string, env []string, args ...string) *process {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	require.NoError(t, err)
	p := &process{name: name, log: log.Name(), ended: make(chan struct{})}
	run := func() {
		p.cmd = exec.Command(program, args...)
		p.cmd.Env = append(os.Environ(), env...)
		p.cmd.Stdout, p.cmd.Stderr = log, log
		if err := p.cmd.Start(); err != nil {
			panic(err)
		}
	}
	run()
	go func() {
		for {
			err := p.cmd.Wait()
			p.mu.Lock()
			if p.ending {
				p.result = err
				p.mu.Unlock()
				close(p.ended)
				return
			}
			run()
			p.mu.Unlock()
			if err != nil {
				time.Sleep(100 * time.Millisecond) // the database may be down
			}
		}
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL, true)
		<-p.ended
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s: …%s", name, text[max(0, len(text)-4000):])
		}
		_ = log.Close()
	})
	return p
}

// signal sends a signal to the process. After the last signal, it is not started again.
func (p *process) signal(s os.Signal, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = p.ending || last
	_ = p.cmd.Process.Signal(s) // an error means that the process has ended
}

// restart asks the process to end, and returns once it is started again.
func (p *process) restart(t *testing.T) {
	t.Helper()
	starts := func() int {
		text, err := os.ReadFile(p.log)
		require.NoError(t, err)
		return strings.Count(string(text), `"msg":"started"`)
	}
	before := starts()
	p.signal(syscall.SIGTERM, false)
	until(t, patience, p.name+" is started again", func() bool { return starts() > before })
}

// end asks the process to end, and returns its result.
func (p *process) end() error {
	p.signal(syscall.SIGTERM, true)
	<-p.ended
	return p.result
}

// freeAddresses returns addresses on loopback. Their ports are below those that the system assigns
// to clients, so they stay free while a process is started again.
func freeAddresses(t *testing.T, n int) (addresses []string) {
	t.Helper()
	for len(addresses) < n {
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10000+rand.IntN(10000)))
		if err == nil {
			addresses = append(addresses, listener.Addr().String())
			defer listener.Close() //nolint:errcheck // it only shows that the port is free
		}
	}
	return addresses
}

// startServer starts a server that Debian installs in /usr/sbin, and ends it with the test.
func startServer(t *testing.T, name, address string, args ...string) {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		require.Empty(t, os.Getenv("CI"), name+" is not installed")
		t.Skipf("no %s: bash .ci/%s", name, name)
	}
	cmd := exec.Command(program, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(name+": ", out.String())
		}
	})
	awaitListening(t, address)
}

// startNginx starts nginx with the configuration of this folder, and returns its address.
func startNginx(t *testing.T, receivers []string) (address string) {
	t.Helper()
	address = freeAddresses(t, 1)[0]
	text, err := os.ReadFile("nginx.conf")
	require.NoError(t, err)
	conf := strings.NewReplacer("127.0.0.1:8080", address, "127.0.0.1:8081", receivers[0], "127.0.0.1:8082", receivers[1]).Replace(string(text))
	dir := t.TempDir()
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf = strings.Replace(conf, "http {", "http {\n  "+kind+"_temp_path "+dir+";", 1)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	startServer(t, "nginx", address, "-p", dir, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off; master_process off; pid nginx.pid;")
	return address
}

// startPgBouncer starts PgBouncer in transaction mode in front of a database, and returns
// PgBouncer's address.
func startPgBouncer(t *testing.T, database string) string {
	t.Helper()
	address, err := url.Parse(database)
	require.NoError(t, err)
	password, _ := address.User.Password()
	listen := freeAddresses(t, 1)[0]
	host, port, err := net.SplitHostPort(listen)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "pgbouncer.ini")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `[databases]
* = host=%s port=%s user=%s password=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 30
max_client_conn = 500
server_login_retry = 1
`, address.Hostname(), address.Port(), address.User.Username(), password, host, port), 0o600))
	args := []string{path}
	if os.Getuid() == 0 {
		args = []string{"-u", "nobody", path}
	}
	startServer(t, "pgbouncer", listen, args...)
	address.Host = listen
	return address.String()
}

func awaitListening(t *testing.T, address string) {
	t.Helper()
	until(t, patience, address+" listens", func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
}

func awaitHealthy(t *testing.T, address string) {
	t.Helper()
	until(t, patience, address+" is healthy", func() bool {
		resp, err := http.Get("http://" + address + "/healthz")
		if err != nil {
			return false
		}
		assert.NoError(t, resp.Body.Close())
		return resp.StatusCode == 200
	})
}
