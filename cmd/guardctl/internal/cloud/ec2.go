// SPDX-License-Identifier: Apache-2.0

package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// permission is what the role of the instance must allow.
const permission = "ec2:DescribeNetworkInterfaces"

// sourceDestCheck asks EC2 for the source/destination check of a network interface.
func sourceDestCheck(ctx context.Context, endpoint, region string, from aws.CredentialsProvider, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, body, err := describe(ctx, endpoint, region, from, id)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, fmt.Errorf("ask EC2 (%s), which does not answer in time: %w", permission, err)
	}
	if err != nil {
		return false, fmt.Errorf("ask EC2 (%s): %w", permission, err)
	}
	if status != http.StatusOK {
		return false, refusal(status, body, id)
	}
	var answer struct {
		Items []struct {
			ID    string `xml:"networkInterfaceId"`
			Check *bool  `xml:"sourceDestCheck"`
		} `xml:"networkInterfaceSet>item"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return false, fmt.Errorf("ask EC2 (%s): read the answer: %w", permission, err)
	}
	if len(answer.Items) != 1 || answer.Items[0].ID != id || answer.Items[0].Check == nil {
		return false, fmt.Errorf("EC2 describes %d interfaces as %s, and not its source/destination check", len(answer.Items), id)
	}
	return *answer.Items[0].Check, nil
}

// describe makes one request of the query API of EC2 (DescribeNetworkInterfaces, version
// 2016-11-15), signed by the SDK. The SDK's client of EC2 has 700 requests more, takes
// minutes to compile, and is what most of guardctl would consist of.
func describe(ctx context.Context, endpoint, region string, from aws.CredentialsProvider, id string) (status int, body []byte, err error) {
	form := url.Values{"Action": {"DescribeNetworkInterfaces"}, "Version": {"2016-11-15"}, "NetworkInterfaceId.1": {id}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := from.Retrieve(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("get credentials, for which the instance needs a role: %w", err)
	}
	sum := sha256.Sum256([]byte(form))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "ec2", region, time.Now()); err != nil {
		return 0, nil, fmt.Errorf("sign the request: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, body, err
}

// refusal returns the error of an answer other than 200.
func refusal(status int, body []byte, id string) error {
	var answer struct {
		Errors []struct{ Code, Message string } `xml:"Errors>Error"`
	}
	if xml.Unmarshal(body, &answer) != nil || len(answer.Errors) == 0 {
		return fmt.Errorf("ask EC2 (%s): it answers %d %s", permission, status, http.StatusText(status))
	}
	code := answer.Errors[0].Code
	if code == "UnauthorizedOperation" || strings.HasPrefix(code, "AccessDenied") {
		return fmt.Errorf("the role of this instance does not allow %s (%s): add that permission, or look with: aws ec2 describe-network-interfaces --network-interface-ids %s", permission, code, id)
	}
	return fmt.Errorf("ask EC2 (%s): %s: %s", permission, code, answer.Errors[0].Message)
}
