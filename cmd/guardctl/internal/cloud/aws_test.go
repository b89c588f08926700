// SPDX-License-Identifier: Apache-2.0

package cloud_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cloud"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

const token = "AQAEAtoken"

// instance speaks IMDSv2: without a token from PUT it answers 401, as an instance does
// that requires the second version.
func instance(answers map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	})
}

func metadata() map[string]string {
	return map[string]string{
		"/latest/meta-data/network/interfaces/macs/02:29:96:8f:6a:2d/interface-id": "eni-0a1b2c3d4e5f60718",
		"/latest/meta-data/placement/region":                                       "eu-west-1",
		"/latest/meta-data/services/domain":                                        "amazonaws.com",
		"/latest/meta-data/iam/security-credentials/":                              "node-role",
		"/latest/meta-data/iam/security-credentials/node-role":                     `{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret", "Token": "session", "Expiration": "2099-01-01T00:00:00Z"}`,
	}
}

// ec2 speaks the query API of EC2, of which it knows one action.
func ec2(t *testing.T, status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.Form.Get("Action") != "DescribeNetworkInterfaces" || r.Form.Get("Version") != "2016-11-15" || r.Header.Get("X-Amz-Security-Token") != "session" || r.Form.Get("NetworkInterfaceId.1") != "eni-0a1b2c3d4e5f60718" {
			t.Errorf("EC2 is asked %v", r.Form)
		}
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "/eu-west-1/ec2/aws4_request") || !strings.Contains(auth, "Credential=ASIAEXAMPLE/") {
			t.Errorf("the request is signed %q", auth)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func described(check string) string {
	return `<DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><networkInterfaceSet><item><networkInterfaceId>eni-0a1b2c3d4e5f60718</networkInterfaceId>` + check + `</item></networkInterfaceSet></DescribeNetworkInterfacesResponse>`
}

const denied = `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation.</Message></Error></Errors><RequestID>r</RequestID></Response>`

func TestSourceDestCheck(t *testing.T) {
	checktest.PrivateNode(t)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HTTP_PROXY", "http_proxy"} {
		t.Setenv(name, "")
	}
	silent := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	without := func(path string) map[string]string {
		m := metadata()
		delete(m, path)
		return m
	}
	for name, c := range map[string]struct {
		instance, ec2 http.Handler
		on            bool
		err           []string // what the error contains
	}{
		"on":          {instance(metadata()), ec2(t, 200, described("<sourceDestCheck>true</sourceDestCheck>")), true, nil},
		"off":         {instance(metadata()), ec2(t, 200, described("<sourceDestCheck>false</sourceDestCheck>")), false, nil},
		"not said":    {instance(metadata()), ec2(t, 200, described("")), false, []string{"and not its source/destination check"}},
		"denied":      {instance(metadata()), ec2(t, 403, denied), false, []string{"does not allow ec2:DescribeNetworkInterfaces", "UnauthorizedOperation"}},
		"refused":     {instance(metadata()), ec2(t, 400, strings.ReplaceAll(denied, "UnauthorizedOperation", "RequestLimitExceeded")), false, []string{"RequestLimitExceeded"}},
		"failed":      {instance(metadata()), ec2(t, 503, "busy"), false, []string{"503"}},
		"broken":      {instance(metadata()), ec2(t, 200, "<html>"), false, []string{"ask EC2"}},
		"EC2 silent":  {instance(metadata()), silent, false, []string{"does not answer in time"}},
		"IMDS silent": {silent, silent, false, []string{"instance metadata service"}},
		"IMDS is off": {http.NotFoundHandler(), silent, false, []string{"instance metadata service"}},
		"no role":     {instance(without("/latest/meta-data/iam/security-credentials/")), silent, false, []string{"the instance needs a role"}},
		"another MAC": {instance(without("/latest/meta-data/network/interfaces/macs/02:29:96:8f:6a:2d/interface-id")), silent, false, []string{"404"}},
		"no ENI":      {instance(map[string]string{"/latest/meta-data/network/interfaces/macs/02:29:96:8f:6a:2d/interface-id": "<html>"}), silent, false, []string{"which is no network interface"}},
	} {
		t.Run(name, func(t *testing.T) {
			imds, api := httptest.NewServer(c.instance), httptest.NewServer(c.ec2)
			t.Cleanup(imds.CloseClientConnections)
			t.Cleanup(api.CloseClientConnections)
			mac, err := net.ParseMAC("02:29:96:8f:6a:2d")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			aws := cloud.AWS{IMDS: imds.URL, EC2: api.URL}
			i, err := aws.SourceDestCheck(ctx, mac)
			if len(c.err) == 0 {
				if err != nil || i.ID != "eni-0a1b2c3d4e5f60718" || i.Region != "eu-west-1" || i.SourceDestCheck != c.on {
					t.Errorf("the answer is %+v, %v", i, err)
				}
				api.Close()
				if again, err := aws.SourceDestCheck(ctx, mac); err != nil || again != i {
					t.Errorf("asked again at once, the answer is %+v, %v", again, err)
				}
				return
			}
			for _, part := range c.err {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("the error is %v, want %q in it", err, part)
				}
			}
			if ctx.Err() != nil {
				t.Error("the questions have no deadline of their own")
			}
		})
	}
}
