# SPDX-License-Identifier: Apache-2.0
# Included by the Makefile. NAME chooses the cluster.
DEVCLUSTER := $(or $(PY),python3) tests/devcluster/devcluster.py
devcluster-name = --name $(or $(NAME),dev)

.PHONY: devcluster-build devcluster-up devcluster-down devcluster-status

devcluster-build: env ## build the dev cluster's binaries and images into the cache
	$(DEVCLUSTER) build

devcluster-up: env ## start a Kubernetes on this machine (root on Linux)
	$(DEVCLUSTER) up $(devcluster-name)

devcluster-down: env ## stop it; its state stays for the next up
	$(DEVCLUSTER) down $(devcluster-name)

devcluster-status: env ## list the clusters on this machine
	$(DEVCLUSTER) status
