// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The types are the part of SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/) that is used.
type spdxDocument struct {
	SPDXVersion       string             `json:"spdxVersion"`
	DataLicense       string             `json:"dataLicense"`
	SPDXID            string             `json:"SPDXID"`
	Name              string             `json:"name"`
	DocumentNamespace string             `json:"documentNamespace"`
	CreationInfo      spdxCreation       `json:"creationInfo"`
	Packages          []spdxPackage      `json:"packages"`
	Relationships     []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	SPDXID           string         `json:"SPDXID"`
	Name             string         `json:"name"`
	Version          string         `json:"versionInfo"`
	DownloadLocation string         `json:"downloadLocation"`
	FilesAnalyzed    bool           `json:"filesAnalyzed"`
	LicenseConcluded string         `json:"licenseConcluded"`
	LicenseDeclared  string         `json:"licenseDeclared"`
	Copyright        string         `json:"copyrightText"`
	Checksums        []spdxChecksum `json:"checksums,omitempty"`
	ExternalRefs     []spdxRef      `json:"externalRefs,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const noAssertion = "NOASSERTION"

// components writes the list of components of all programs and returns its name.
func (r release) components(out string) (string, error) {
	data, err := r.sbom(architectures[:], archivePrograms[:])
	if err != nil {
		return "", err
	}
	name := "cni-guard-" + r.version + ".spdx.json"
	return name, write(filepath.Join(out, name), data)
}

// sbom returns the modules that the linker recorded in each program. A package of the
// document is a program or a module; a program depends on each of its modules. Licenses of
// modules are not asserted: the record does not have them.
func (r release) sbom(archs, programs []string) ([]byte, error) {
	doc := spdxDocument{
		SPDXVersion:  "SPDX-2.3",
		DataLicense:  "CC0-1.0",
		SPDXID:       "SPDXRef-DOCUMENT",
		Name:         "cni-guard-" + r.version,
		CreationInfo: spdxCreation{Created: r.time.Format("2006-01-02T15:04:05Z"), Creators: []string{"Tool: cni-guard-scripts-release"}},
	}
	modules := map[string]spdxPackage{}
	for _, arch := range archs {
		files, err := r.binaries(arch, programs...)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			info, err := buildinfo.ReadFile(filepath.Join(r.programs, arch, f.name))
			if err != nil {
				return nil, fmt.Errorf("read the modules of %s for %s: %w", f.name, arch, err)
			}
			program := spdxPackage{
				SPDXID: spdxID("Program", f.name, arch), Name: f.name, Version: r.version,
				DownloadLocation: noAssertion, LicenseConcluded: "Apache-2.0", LicenseDeclared: "Apache-2.0", Copyright: noAssertion,
				Checksums: []spdxChecksum{{Algorithm: "SHA256", Value: fmt.Sprintf("%x", sha256.Sum256(f.data))}},
			}
			doc.Packages = append(doc.Packages, program)
			doc.Relationships = append(doc.Relationships, spdxRelationship{doc.SPDXID, "DESCRIBES", program.SPDXID})
			depend := func(path, version string) {
				m := module(path, version)
				modules[m.SPDXID] = m
				doc.Relationships = append(doc.Relationships, spdxRelationship{program.SPDXID, "DEPENDS_ON", m.SPDXID})
			}
			depend("stdlib", strings.TrimPrefix(info.GoVersion, "go"))
			for _, d := range info.Deps {
				if d.Replace != nil {
					d = d.Replace
				}
				depend(d.Path, d.Version)
			}
		}
	}
	for _, m := range modules {
		doc.Packages = append(doc.Packages, m)
	}
	slices.SortFunc(doc.Packages, func(a, b spdxPackage) int { return cmp.Compare(a.SPDXID, b.SPDXID) })
	slices.SortFunc(doc.Relationships, func(a, b spdxRelationship) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Type, b.Type), cmp.Compare(a.To, b.To))
	})
	content, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode the list of components: %w", err)
	}
	doc.DocumentNamespace = fmt.Sprintf("https://github.com/cni-guard/cni-guard/spdx/%s-%x", r.version, sha256.Sum256(content))
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the list of components: %w", err)
	}
	return append(data, '\n'), nil
}

func module(path, version string) spdxPackage {
	return spdxPackage{
		SPDXID: spdxID("Module", path, version), Name: path, Version: version,
		DownloadLocation: noAssertion, LicenseConcluded: noAssertion, LicenseDeclared: noAssertion, Copyright: noAssertion,
		ExternalRefs: []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + version}},
	}
}

var notOfID = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// spdxID returns an identifier in the alphabet of SPDX, which is letters, digits, dots and hyphens.
func spdxID(parts ...string) string {
	return "SPDXRef-" + notOfID.ReplaceAllString(strings.Join(parts, "-"), "-")
}
