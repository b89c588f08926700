// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// startAPIServer starts etcd and the API server, and returns when that is ready.
func (c *Cluster) startAPIServer() {
	c.t.Helper()
	c.writeKeys()
	c.start("etcd", exec.Command(c.program("kubernetes", "etcd"),
		"--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380"))
	c.api = newAPI(c.t, "https://"+masterAddress, "admin", c.pki("apiserver.crt"))
	c.StartAPIServer()
	for name, config := range map[string]string{"admin": "admin", "node1": "node1", "node2": "node2"} {
		c.writeKubeconfig(name, config)
	}
}

// startControllers starts the controller manager and the scheduler.
func (c *Cluster) startControllers() {
	c.t.Helper()
	for name, args := range map[string][]string{
		"kube-controller-manager": {
			"--service-account-private-key-file=" + c.pki("sa.key"), "--root-ca-file=" + c.pki("apiserver.crt"),
			"--allocate-node-cidrs", "--cluster-cidr=10.244.0.0/16", "--service-cluster-ip-range=10.96.0.0/16",
		},
		"kube-scheduler": nil,
	} {
		common := []string{"--kubeconfig=" + c.pki("admin.kubeconfig"), "--leader-elect=false", "--profiling=false"}
		c.start(name, exec.Command(c.program("kubernetes", name), append(common, args...)...))
	}
}

// StartAPIServer starts the API server and returns when it is ready. It ends with the
// whole test, whichever part of that starts it again. One that ends by itself, as it does if
// etcd is slow on a busy machine, is started again, as kubelet does with a static pod.
func (c *Cluster) StartAPIServer() {
	c.t.Helper()
	log := c.whole.openLog("kube-apiserver")
	program := c.program("kubernetes", "kube-apiserver")
	args := []string{
		"--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0", "--secure-port=443",
		"--advertise-address=" + masterAddress, "--service-cluster-ip-range=10.96.0.0/16",
		"--cert-dir=" + c.pki(""), "--token-auth-file=" + c.pki("tokens.csv"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.pki("sa.pub"), "--service-account-signing-key-file=" + c.pki("sa.key"),
		"--kubelet-preferred-address-types=InternalIP", "--profiling=false", "--v=0",
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer log.Close()
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.Stdout, cmd.Stderr = log, log
			err := cmd.Run()
			fmt.Fprintf(log, "kube-apiserver has ended: %v; wanted: %v\n", err, ctx.Err() != nil)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	down := func() {
		stop()
		<-ended
	}
	c.whole.down = down
	c.whole.t.Cleanup(down)
	c.await("the API server", func() error { return c.api.ready() })
}

// StopAPIServer kills the API server. The rest of the control plane and the nodes go on.
func (c *Cluster) StopAPIServer() { c.whole.down() }

func (c *Cluster) pki(name string) string { return filepath.Join(c.dir, "pki", name) }

// writeKeys writes the key of service accounts, and the tokens of users, which are their names.
func (c *Cluster) writeKeys() {
	c.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(c.pki("sa.key"), string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	c.write(c.pki("sa.pub"), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	tokens := []string{"admin,admin,admin,system:masters"}
	for i := range Nodes {
		name := nodeName(i)
		tokens = append(tokens, fmt.Sprintf("%s,system:node:%s,%s,system:nodes", name, name, name))
	}
	c.write(c.pki("tokens.csv"), strings.Join(tokens, "\n")+"\n")
}

// writeKubeconfig writes NAME.kubeconfig for the user with that token.
func (c *Cluster) writeKubeconfig(name, token string) {
	c.t.Helper()
	c.write(c.pki(name+".kubeconfig"), strings.NewReplacer("SERVER", masterAddress, "CA", c.pki("apiserver.crt"), "TOKEN", token).Replace(`apiVersion: v1
kind: Config
clusters: [{name: conformance, cluster: {server: "https://SERVER", certificate-authority: "CA"}}]
users: [{name: user, user: {token: TOKEN}}]
contexts: [{name: conformance, context: {cluster: conformance, user: user}}]
current-context: conformance
`))
}

func (c *Cluster) write(path, text string) {
	c.t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}
