// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func sh(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path+".tmp", []byte(content), 0o755)
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a program until it is killed, or the test ends, and returns it.
func start(t *testing.T, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), out.String())
		}
	})
	return cmd
}

// answers is a plugin that answers VERSION.
const answers = "#!/bin/sh\necho '{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}'\n"

// unguarded is the configuration as its network plugin writes it.
const unguarded = `{"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge", "bridge": "br0", "ipam": {"type": "host-local", "subnet": "10.244.1.0/24"}}]}`

// A node has a bridge with a pod, a tunnel to the namespace "monitor", and the guard.
type node struct {
	t     *testing.T
	dir   string
	bin   string
	agent *exec.Cmd
	api   *apiServer
}

func newNode(t *testing.T) *node {
	t.Helper()
	bin, err := filepath.Abs(os.Getenv("CNI_GUARD_BIN"))
	if err != nil || os.Getenv("CNI_GUARD_BIN") == "" || os.Getenv("CNI_GUARD_NODE") != "private" {
		if os.Getenv("REQUIRE_ALL") == "1" {
			t.Fatal("this needs CNI_GUARD_BIN and a private node")
		}
		t.Skip("this needs CNI_GUARD_BIN and a private node")
	}
	n := &node{t: t, dir: t.TempDir(), bin: bin}
	for _, plugin := range []string{"bridge", "host-local", "loopback"} {
		write(t, n.path("bin/"+plugin), answers)
	}
	write(t, n.path("conf/10-net.conflist"), unguarded)
	sh(t, strings.NewReplacer("NODE", nodeAddress, "MONITOR", monitorAddress).Replace(`
ip netns add monitor
ip link add monitor0 type veth peer name eth0 netns monitor
ip address add NODE/24 dev monitor0
ip link set monitor0 up
ip -n monitor address add MONITOR/24 dev eth0
ip -n monitor link set eth0 up
ip -n monitor link set lo up
ip link add vx0 address 02:00:00:00:00:01 type vxlan id 1 dev monitor0 local NODE dstport 8472 nolearning
ip -n monitor link add vx0 address 02:00:00:00:00:02 type vxlan id 1 dev eth0 local MONITOR dstport 8472 nolearning
ip address add 10.244.1.0/32 dev vx0
ip -n monitor address add 10.244.2.0/32 dev vx0
ip link set vx0 up
ip -n monitor link set vx0 up
ip neighbor add 10.244.2.0 lladdr 02:00:00:00:00:02 dev vx0 nud permanent
ip -n monitor neighbor add 10.244.1.0 lladdr 02:00:00:00:00:01 dev vx0 nud permanent
bridge fdb append 02:00:00:00:00:02 dst MONITOR dev vx0
bridge -n monitor fdb append 02:00:00:00:00:01 dst NODE dev vx0
ip route add 10.244.2.0/24 via 10.244.2.0 dev vx0 onlink
ip -n monitor route add 10.244.1.0/24 via 10.244.1.0 dev vx0 onlink
ip link add br0 type bridge
ip address add 10.244.1.1/24 dev br0
ip link set br0 up
ip netns add pod
ip link add veth1 type veth peer name eth0 address 02:00:00:00:00:07 netns pod
ip link set veth1 master br0 up
ip -n pod link set lo up
ip -n pod link set eth0 up
ip -n pod address add 10.244.1.7/24 dev eth0
echo 1 >/proc/sys/net/ipv4/ip_forward
`))
	n.guardctl("install", "--from", bin, "--loopback")
	add := exec.Command(n.path("bin/cni-guard"))
	add.Env = []string{"CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_NETNS=/run/netns/pod", "CNI_IFNAME=eth0", "CNI_PATH=" + n.path("bin")}
	add.Stdin = strings.NewReader(`{"cniVersion": "1.0.0", "name": "net", "type": "cni-guard", "prevResult": {"cniVersion": "1.0.0",
		"interfaces": [{"name": "br0"}, {"name": "veth1"}, {"name": "eth0", "mac": "02:00:00:00:00:07", "sandbox": "/run/netns/pod"}],
		"ips": [{"address": "10.244.1.7/24", "gateway": "10.244.1.1", "interface": 2}]}}`)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("the ADD of the pod: %v\n%s", err, out)
	}
	n.api = newAPIServer(t)
	return n
}

func (n *node) path(name string) string { return filepath.Join(n.dir, name) }

// site are the flags that say where the node has what.
func (n *node) site() []string {
	return []string{"--runtime", "containerd", "--conf-dir", n.path("conf"), "--bin-dir", n.path("bin"), "--record-dir", n.path("record")}
}

func (n *node) guardctl(args ...string) {
	n.t.Helper()
	if out, err := exec.Command(n.bin+"/guardctl", append(args, n.site()...)...).CombinedOutput(); err != nil {
		n.t.Fatalf("guardctl %v: %v\n%s", args, err, out)
	}
}

// run starts an agent with a profile, which observes with keep report and repairs with
// keep enforce, in the place of the one that runs.
func (n *node) run(profile, keep string) {
	n.t.Helper()
	n.kill()
	args := append([]string{
		"--profile", profile, "--keep", keep, "--metrics-address", nodeAddress + ":9798", "--look-every", "10s", "--kubernetes", "on", "--node-name", "n1",
		"--socket", n.path("agent.sock"), "--lock", n.path("lock"),
	}, n.site()...)
	n.agent = start(n.t, n.api.env, n.bin+"/cni-guard-agent", args...)
}

// kill kills the agent, if one runs.
func (n *node) kill() {
	if n.agent != nil {
		_ = n.agent.Process.Kill()
		_ = n.agent.Wait()
		n.agent = nil
	}
}

// limitFiles takes every further descriptor from the agent, or gives them back. Prometheus
// keeps its connection.
func (n *node) limitFiles(limit bool) {
	n.t.Helper()
	most := unix.Rlimit{Cur: 1024, Max: 4096}
	if limit {
		most.Cur = 3
	}
	if err := unix.Prlimit(n.agent.Process.Pid, unix.RLIMIT_NOFILE, &most, nil); err != nil {
		n.t.Fatal(err)
	}
}

// An apiServer is as much of one as the agent asks.
type apiServer struct {
	forbids atomic.Bool
	env     []string // of a pod that it is the API server of
}

// newAPIServer starts an API server and puts its credentials where a pod has them.
func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	a := &apiServer{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case a.forbids.Load():
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"nodes \"n1\" is forbidden","code":403}`)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.Copy(w, r.Body)
		default:
			_, _ = io.WriteString(w, `{"kind":"Node","apiVersion":"v1","metadata":{"name":"n1","uid":"u1"}}`)
		}
	}))
	t.Cleanup(server.Close)
	credentials := "/run/secrets/kubernetes.io/serviceaccount"
	write(t, credentials+"/ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	write(t, credentials+"/token", "token")
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a.env = []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port}
	return a
}
