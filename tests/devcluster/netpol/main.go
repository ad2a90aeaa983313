// SPDX-License-Identifier: Apache-2.0

// netpol-dev: NetworkPolicy enforcement for a one-node bridge-CNI cluster with plain iptables (filter FORWARD+INPUT).
// Semantics: default-allow; a pod selected by a policy for a direction is default-deny in it; rules are OR-ed;
// established connections stay; node -> pod (kubelet probes) is always allowed, as the API documents.
package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"os/exec"
	"sort"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	nv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func sel(s *metav1.LabelSelector) labels.Selector {
	r, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	return r
}
func chain(kind string, key string) string {
	h := sha1.Sum([]byte(key))
	return "H4" + kind + "-" + hex.EncodeToString(h[:8])
}

type state struct {
	pods []*v1.Pod
	ns   map[string]*v1.Namespace
}

func (s *state) match(pol *nv1.NetworkPolicy, p nv1.NetworkPolicyPeer) (out []*v1.Pod) {
	for _, pod := range s.pods {
		if p.NamespaceSelector == nil {
			if pod.Namespace != pol.Namespace {
				continue
			}
		} else if n := s.ns[pod.Namespace]; n == nil || !sel(p.NamespaceSelector).Matches(labels.Set(n.Labels)) {
			continue
		}
		if p.PodSelector != nil && !sel(p.PodSelector).Matches(labels.Set(pod.Labels)) {
			continue
		}
		out = append(out, pod)
	}
	return
}

// portMatches returns iptables matches ("" = any) of the rule's ports; dst is the pod that named ports refer to.
func portMatches(ports []nv1.NetworkPolicyPort, dst *v1.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var out []string
	for _, p := range ports {
		proto := v1.ProtocolTCP
		if p.Protocol != nil {
			proto = *p.Protocol
		}
		m := "-p " + strings.ToLower(string(proto))
		switch {
		case p.Port == nil:
		case p.Port.Type == intstr.Int && p.EndPort != nil:
			m += fmt.Sprintf(" --dport %d:%d", p.Port.IntVal, *p.EndPort)
		case p.Port.Type == intstr.Int:
			m += fmt.Sprintf(" --dport %d", p.Port.IntVal)
		default:
			n := int32(0)
			if dst != nil {
				for _, c := range dst.Spec.Containers {
					for _, cp := range c.Ports {
						if cp.Name == p.Port.StrVal && (cp.Protocol == proto || cp.Protocol == "") {
							n = cp.ContainerPort
						}
					}
				}
			}
			if n == 0 {
				continue
			}
			m += fmt.Sprintf(" --dport %d", n)
		}
		out = append(out, m)
	}
	return out
}

const mark = "-j MARK --set-xmark 0x100000/0x100000"

func build(s *state, pols []*nv1.NetworkPolicy) string {
	var decl, rules, disp bytes.Buffer
	for _, dir := range []nv1.PolicyType{nv1.PolicyTypeEgress, nv1.PolicyTypeIngress} { // egress is judged first
		for _, pod := range s.pods {
			var sp []*nv1.NetworkPolicy
			for _, p := range pols {
				has := false
				for _, t := range p.Spec.PolicyTypes {
					has = has || t == dir
				}
				if has && p.Namespace == pod.Namespace && sel(&p.Spec.PodSelector).Matches(labels.Set(pod.Labels)) {
					sp = append(sp, p)
				}
			}
			if len(sp) == 0 {
				continue
			}
			key := string(dir) + "/" + pod.Namespace + "/" + pod.Name
			c := chain("P", key)
			own, peer := "-d", "-s"
			if dir == nv1.PolicyTypeEgress {
				own, peer = "-s", "-d"
			}
			fmt.Fprintf(&decl, ":%s - [0:0]\n", c)
			fmt.Fprintf(&disp, "-A H4NP %s %s/32 -m comment --comment \"%s\" -j %s\n", own, pod.Status.PodIP, key, c)
			fmt.Fprintf(&rules, "-A %s -j MARK --set-xmark 0x0/0x100000\n", c)
			nsub := 0
			one := func(pol *nv1.NetworkPolicy, peers []nv1.NetworkPolicyPeer, ports []nv1.NetworkPolicyPort) {
				namedDst := pod
				if dir == nv1.PolicyTypeEgress {
					namedDst = nil
				}
				if len(peers) == 0 {
					for _, m := range portMatches(ports, namedDst) {
						fmt.Fprintf(&rules, "-A %s %s %s\n", c, m, mark)
					}
				}
				for _, p := range peers {
					if p.IPBlock != nil {
						if strings.Contains(p.IPBlock.CIDR, ":") {
							continue // pods here have IPv4 addresses only, and one such rule would make the whole set fail
						}
						nsub++
						sub := chain("B", fmt.Sprint(key, nsub))
						fmt.Fprintf(&decl, ":%s - [0:0]\n", sub)
						fmt.Fprintf(&rules, "-A %s %s %s -j %s\n", c, peer, p.IPBlock.CIDR, sub)
						for _, e := range p.IPBlock.Except {
							fmt.Fprintf(&rules, "-A %s %s %s -j RETURN\n", sub, peer, e)
						}
						for _, m := range portMatches(ports, namedDst) {
							fmt.Fprintf(&rules, "-A %s %s %s\n", sub, m, mark)
						}
						continue
					}
					for _, q := range s.match(pol, p) {
						d := namedDst
						if d == nil {
							d = q
						}
						for _, m := range portMatches(ports, d) {
							fmt.Fprintf(&rules, "-A %s %s %s/32 %s %s\n", c, peer, q.Status.PodIP, m, mark)
						}
					}
				}
			}
			for _, p := range sp {
				if dir == nv1.PolicyTypeIngress {
					for _, r := range p.Spec.Ingress {
						one(p, r.From, r.Ports)
					}
				} else {
					for _, r := range p.Spec.Egress {
						one(p, r.To, r.Ports)
					}
				}
			}
			fmt.Fprintf(&rules, "-A %s -m mark ! --mark 0x100000/0x100000 -j DROP\n", c)
		}
	}
	return "*filter\n:H4NP - [0:0]\n" + decl.String() + "-A H4NP -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN\n" + disp.String() + rules.String() + "COMMIT\n"
}

func main() {
	kc := flag.String("kubeconfig", "", "")
	flag.Parse()
	cfg, err := clientcmd.BuildConfigFromFlags("", *kc)
	if err != nil {
		log.Fatal(err)
	}
	f := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(cfg), 0)
	pi, ni, li := f.Core().V1().Pods(), f.Core().V1().Namespaces(), f.Networking().V1().NetworkPolicies()
	kick := make(chan struct{}, 1)
	k := func(any) {
		select {
		case kick <- struct{}{}:
		default:
		}
	}
	h := cache.ResourceEventHandlerFuncs{AddFunc: k, UpdateFunc: func(_, n any) { k(n) }, DeleteFunc: k}
	pi.Informer().AddEventHandler(h)
	ni.Informer().AddEventHandler(h)
	li.Informer().AddEventHandler(h)
	stop := make(chan struct{})
	f.Start(stop)
	f.WaitForCacheSync(stop)
	last := ""
	old := map[string]bool{}
	for {
		s := &state{ns: map[string]*v1.Namespace{}}
		pods, _ := pi.Lister().List(labels.Everything())
		for _, p := range pods {
			if p.Status.PodIP != "" && !p.Spec.HostNetwork && p.Status.Phase != v1.PodSucceeded && p.Status.Phase != v1.PodFailed {
				s.pods = append(s.pods, p)
			}
		}
		sort.Slice(s.pods, func(i, j int) bool { return s.pods[i].UID < s.pods[j].UID })
		nss, _ := ni.Lister().List(labels.Everything())
		for _, n := range nss {
			s.ns[n.Name] = n
		}
		pols, _ := li.Lister().List(labels.Everything())
		sort.Slice(pols, func(i, j int) bool { return pols[i].UID < pols[j].UID })
		r := build(s, pols)
		if r != last {
			c := exec.Command("iptables-restore", "-w", "--noflush")
			c.Stdin = strings.NewReader(r)
			if o, err := c.CombinedOutput(); err != nil {
				log.Printf("iptables-restore: %v %s\n%s", err, o, r)
				time.Sleep(time.Second)
				continue
			}
			for _, hook := range []string{"FORWARD", "INPUT"} {
				if exec.Command("iptables", "-w", "-C", hook, "-j", "H4NP").Run() != nil {
					if o, err := exec.Command("iptables", "-w", "-I", hook, "1", "-j", "H4NP").CombinedOutput(); err != nil {
						log.Printf("hook %s: %v %s", hook, err, o)
					}
				}
			}
			cur := map[string]bool{}
			for _, l := range strings.Split(r, "\n") {
				if strings.HasPrefix(l, ":") {
					cur[strings.Fields(l[1:])[0]] = true
				}
			}
			for pass := 0; pass < 2; pass++ { // flush, then delete chains no longer used
				for c := range old {
					if !cur[c] {
						exec.Command("iptables", "-w", []string{"-F", "-X"}[pass], c).Run()
					}
				}
			}
			last, old = r, cur
			log.Printf("applied: %d pods, %d policies, %d chains", len(s.pods), len(pols), len(cur))
		}
		select {
		case <-kick:
			time.Sleep(20 * time.Millisecond)
		case <-time.After(10 * time.Second):
			last = "" // repair
		}
	}
}
