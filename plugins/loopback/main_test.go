// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"loopback": main})
}

func TestScripts(t *testing.T) { checktest.Scripts(t) }
