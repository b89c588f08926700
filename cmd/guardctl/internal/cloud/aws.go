// SPDX-License-Identifier: Apache-2.0

// Package cloud asks the cloud that a node is in for what the node itself cannot see.
// Only guardctl asks: the plugin and the agent do not link it.
package cloud

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// patience bounds what is asked of the instance, and what is asked of EC2, so that both
// fit into the time of a check (guard.Deadline).
const patience = 1200 * time.Millisecond

// An AWS asks the instance metadata service, in its second version only, and EC2. The
// zero AWS asks those of the instance that this process is on.
type AWS struct {
	IMDS, EC2 string // URLs that stand for the real services; "" for these

	mu   sync.Mutex
	last answer
}

// An answer is what was said of an interface.
type answer struct {
	mac string
	at  time.Time
	checks.CloudInterface
	err error
}

// SourceDestCheck returns the interface with a MAC address. Credentials are those of
// the environment (AWS_ACCESS_KEY_ID and the like) or else of the instance's role. It asks
// once in a minute: EC2 limits the requests of an account, and `guardctl doctor --watch`
// looks every few seconds.
func (a *AWS) SourceDestCheck(ctx context.Context, mac net.HardwareAddr) (checks.CloudInterface, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last.mac != mac.String() || time.Since(a.last.at) > time.Minute {
		i, err := a.ask(ctx, mac)
		a.last = answer{mac.String(), time.Now(), i, err}
	}
	return a.last.CloudInterface, a.last.err
}

func (a *AWS) ask(ctx context.Context, mac net.HardwareAddr) (checks.CloudInterface, error) {
	instance := imds.New(imds.Options{Endpoint: a.IMDS, EnableFallback: aws.FalseTernary, Retryer: aws.NopRetryer{}})
	i, domain, err := interfaceOf(ctx, instance, mac)
	if err != nil {
		return i, fmt.Errorf("ask the instance metadata service (IMDSv2), which may be off, or not reached from a container with a hop limit of 1: %w", err)
	}
	endpoint := a.EC2
	if endpoint == "" {
		endpoint = "https://ec2." + i.Region + "." + domain + "/"
	}
	i.SourceDestCheck, err = sourceDestCheck(ctx, endpoint, i.Region, credentialsOf(instance), i.ID)
	return i, err
}

// interfaceOf returns the ID of the interface with its region, and the domain of the
// region's services.
func interfaceOf(ctx context.Context, instance *imds.Client, mac net.HardwareAddr) (i checks.CloudInterface, domain string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	path := "network/interfaces/macs/" + mac.String() + "/interface-id"
	if i.ID, err = metadata(ctx, instance, path); err != nil {
		return i, "", err
	}
	if !strings.HasPrefix(i.ID, "eni-") {
		return i, "", fmt.Errorf("%s is %q, which is no network interface", path, i.ID)
	}
	if i.Region, err = metadata(ctx, instance, "placement/region"); err != nil {
		return i, "", err
	}
	domain, err = metadata(ctx, instance, "services/domain") // another one in China
	return i, domain, err
}

func metadata(ctx context.Context, instance *imds.Client, path string) (string, error) {
	answer, err := instance.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	if err != nil {
		return "", err
	}
	defer answer.Content.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Content, 256))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return strings.TrimSpace(string(text)), nil
}

func credentialsOf(instance *imds.Client) aws.CredentialsProvider {
	if id, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"); id != "" && secret != "" {
		return credentials.NewStaticCredentialsProvider(id, secret, os.Getenv("AWS_SESSION_TOKEN"))
	}
	return ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = instance })
}
