// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

func TestHealthyNodes(t *testing.T) { checktest.Healthy(t, checks.Suite(), "testdata/healthy") }
