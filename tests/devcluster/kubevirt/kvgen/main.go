// SPDX-License-Identifier: Apache-2.0

// kvgen prints KubeVirt's own manifests as JSON documents. It is built from the pinned module, so they fit its binaries.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

const namespace = "kubevirt"

var modes = map[string]func(*flag.FlagSet, []string){
	"operator": printOperator,
	"cr":       printConfiguration,
	"crds":     printDefinitions,
	"roles":    printRoles,
	"webhooks": printWebhooks,
}

func main() {
	if len(os.Args) > 1 {
		if mode, ok := modes[os.Args[1]]; ok {
			mode(flag.NewFlagSet(os.Args[1], flag.ExitOnError), os.Args[2:])
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: kvgen operator|cr|crds|roles|webhooks [flags]")
	os.Exit(2)
}

// show prints one object without its status. The module's own marshaller breaks the YAML of some descriptions.
func show(object any) {
	var fields map[string]any
	check(json.Unmarshal(must(json.Marshal(object)), &fields))
	delete(fields, "status")
	fmt.Printf("---\n%s\n", must(json.Marshal(fields)))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kvgen:", err)
		os.Exit(1)
	}
}
