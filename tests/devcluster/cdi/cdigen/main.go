// SPDX-License-Identifier: Apache-2.0

// cdigen prints CDI's custom resource definitions, as the pinned module has them.
package main

import (
	"fmt"
	"maps"
	"slices"

	"kubevirt.io/containerized-data-importer/pkg/operator/resources"
)

func main() {
	crds := resources.CDICRDs
	for _, name := range slices.Sorted(maps.Keys(crds)) {
		fmt.Printf("---\n%s\n", crds[name])
	}
}
