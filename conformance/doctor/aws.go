// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netns"
)

const (
	ec2Host   = "ec2.eu-west-1.amazonaws.com"
	ec2ID     = "eni-0a1b2c3d4e5f60718"
	ec2Answer = `<DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><networkInterfaceSet><item><networkInterfaceId>` + ec2ID + `</networkInterfaceId><sourceDestCheck>%s</sourceDestCheck></item></networkInterfaceSet></DescribeNetworkInterfacesResponse>`
)

// AWS makes near an instance of AWS whose far end is the cloud: its metadata service, and
// EC2 with a certificate that near trusts. The file source-dest-check of near says what EC2
// answers.
func (r *Rig) AWS() {
	r.t.Helper()
	r.Write("dmi/sys_vendor", "Amazon EC2\n")
	r.Write("etc/hosts", "192.168.50.12 "+ec2Host+"\n")
	r.Write("source-dest-check", "false")
	r.Shell("ip -n far address add 169.254.169.254/32 dev lo")
	certificate, err := selfSigned(ec2Host)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Write("etc/ssl/certs/ca-certificates.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})))
	quiet := log.New(&strings.Builder{}, "", 0) // near hangs up when it knows enough
	for addr, server := range map[string]*http.Server{
		"169.254.169.254:80": {Handler: http.HandlerFunc(metadata), ErrorLog: quiet},
		"192.168.50.12:443":  {Handler: http.HandlerFunc(r.describe), ErrorLog: quiet, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}},
	} {
		listener, err := listenOn("far", addr)
		if err != nil {
			r.t.Fatal(err)
		}
		if server.TLSConfig != nil {
			listener = tls.NewListener(listener, server.TLSConfig)
		}
		go server.Serve(listener)
		r.t.Cleanup(func() { server.Close() })
	}
}

// metadata speaks IMDSv2.
func metadata(w http.ResponseWriter, r *http.Request) {
	const token = "AQAEAtoken"
	answers := map[string]string{
		"/latest/meta-data/network/interfaces/macs/02:00:00:00:01:01/interface-id": ec2ID,
		"/latest/meta-data/placement/region":                                       "eu-west-1",
		"/latest/meta-data/services/domain":                                        "amazonaws.com",
		"/latest/meta-data/iam/security-credentials/":                              "node-role",
		"/latest/meta-data/iam/security-credentials/node-role":                     `{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret", "Token": "session", "Expiration": "2099-01-01T00:00:00Z"}`,
	}
	switch {
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
		w.Header().Set("x-aws-ec2-metadata-token-ttl-seconds", r.Header.Get("x-aws-ec2-metadata-token-ttl-seconds"))
		fmt.Fprint(w, token)
	case r.Header.Get("x-aws-ec2-metadata-token") != token:
		w.WriteHeader(http.StatusUnauthorized)
	case answers[r.URL.Path] == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		fmt.Fprint(w, answers[r.URL.Path])
	}
}

// describe speaks the query API of EC2, of which it knows one action.
func (r *Rig) describe(w http.ResponseWriter, request *http.Request) {
	check, err := os.ReadFile(filepath.Join(r.Root, "source-dest-check"))
	if err != nil || request.FormValue("Action") != "DescribeNetworkInterfaces" || request.FormValue("NetworkInterfaceId.1") != ec2ID {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, ec2Answer, strings.TrimSpace(string(check)))
}

// listenOn listens in a named network namespace.
func listenOn(node, addr string) (net.Listener, error) {
	runtime.LockOSThread()
	own, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("find own network namespace: %w", err)
	}
	defer own.Close()
	other, err := netns.GetFromName(node)
	if err != nil {
		return nil, fmt.Errorf("find network namespace %s: %w", node, err)
	}
	defer other.Close()
	if err := netns.Set(other); err != nil {
		return nil, fmt.Errorf("enter network namespace %s: %w", node, err)
	}
	listener, listenErr := net.Listen("tcp", addr)
	if err := netns.Set(own); err != nil {
		return nil, fmt.Errorf("leave network namespace %s: %w", node, err) // the thread ends with the goroutine
	}
	runtime.UnlockOSThread()
	return listener, listenErr
}

// selfSigned returns a certificate for a host that is its own authority.
func selfSigned(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
