// Package check builds the manifests of deploy/kubernetes and compares them with the
// types of the APIs they are for. It is a module of its own: nobody who builds the
// server carries those.
package check

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	inference "sigs.k8s.io/gateway-api-inference-extension/api/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kinds are the types of what the manifests hold.
var kinds = map[string]func() any{
	"v1/ConfigMap":                                 func() any { return new(core.ConfigMap) },
	"v1/Service":                                   func() any { return new(core.Service) },
	"apps/v1/Deployment":                           func() any { return new(apps.Deployment) },
	"policy/v1/PodDisruptionBudget":                func() any { return new(policy.PodDisruptionBudget) },
	"autoscaling/v2/HorizontalPodAutoscaler":       func() any { return new(autoscaling.HorizontalPodAutoscaler) },
	"monitoring.coreos.com/v1/PodMonitor":          func() any { return new(monitoring.PodMonitor) },
	"inference.networking.k8s.io/v1/InferencePool": func() any { return new(inference.InferencePool) },
	"gateway.networking.k8s.io/v1/HTTPRoute":       func() any { return new(gateway.HTTPRoute) },
}

// build builds an overlay and reads its objects strictly: a field that the API does
// not have is an error.
func build(t *testing.T, overlay string) map[string]any {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../kubernetes/overlays/"+overlay)
	if err != nil {
		t.Fatal(err)
	}
	objects := make(map[string]any)
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		kind := r.GetApiVersion() + "/" + r.GetKind()
		make, ok := kinds[kind]
		if !ok {
			t.Errorf("%s: %s is not known here", overlay, kind)
			continue
		}
		object := make()
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			t.Errorf("%s: %s %s: %v", overlay, kind, r.GetName(), err)
		}
		objects[kind+" "+r.GetName()] = object
	}
	return objects
}

// TestManifests builds every overlay and looks at what must fit together.
func TestManifests(t *testing.T) {
	overlays, err := os.ReadDir("../kubernetes/overlays")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range overlays {
		objects := build(t, o.Name())
		d, ok := objects["apps/v1/Deployment deepprune"].(*apps.Deployment)
		if !ok {
			t.Fatalf("%s: no Deployment", o.Name())
		}
		pod := d.Spec.Template
		labels := pod.Labels
		fits := func(what string, selector map[string]string) {
			if len(selector) == 0 {
				t.Errorf("%s: %s selects everything", o.Name(), what)
			}
			for k, v := range selector {
				if labels[k] != v {
					t.Errorf("%s: %s selects %s=%s, which the pods are not", o.Name(), what, k, v)
				}
			}
		}
		ports := pod.Spec.Containers[0].Ports
		named := func(what, name string) {
			if !slices.ContainsFunc(ports, func(p core.ContainerPort) bool { return p.Name == name }) {
				t.Errorf("%s: %s is for the port %s, which the pods have not", o.Name(), what, name)
			}
		}
		fits("the Deployment", d.Spec.Selector.MatchLabels)
		for name, object := range objects {
			switch x := object.(type) {
			case *core.Service:
				fits(name, x.Spec.Selector)
				named(name, x.Spec.Ports[0].TargetPort.StrVal)
			case *policy.PodDisruptionBudget:
				if x.Spec.Selector == nil {
					t.Errorf("%s: %s selects nothing", o.Name(), name)
					break
				}
				fits(name, x.Spec.Selector.MatchLabels)
			case *monitoring.PodMonitor:
				fits(name, x.Spec.Selector.MatchLabels)
				named(name, *x.Spec.PodMetricsEndpoints[0].Port)
			case *inference.InferencePool:
				if int32(x.Spec.TargetPorts[0].Number) != ports[0].ContainerPort {
					t.Errorf("%s: %s is for port %d", o.Name(), name, x.Spec.TargetPorts[0].Number)
				}
			}
		}
		for _, v := range pod.Spec.Containers[0].VolumeMounts {
			if !slices.ContainsFunc(pod.Spec.Volumes, func(w core.Volume) bool { return w.Name == v.Name }) {
				t.Errorf("%s: no volume %s", o.Name(), v.Name)
			}
		}
		named("the readiness probe", pod.Spec.Containers[0].ReadinessProbe.HTTPGet.Port.StrVal)
		for _, v := range pod.Spec.Volumes {
			if v.ConfigMap == nil {
				continue
			}
			settings, ok := objects["v1/ConfigMap "+v.ConfigMap.Name].(*core.ConfigMap)
			if !ok || settings.Data["deepprune.yaml"] == "" {
				t.Errorf("%s: the volume %s has no settings in it", o.Name(), v.Name)
			}
		}
	}
}

// TestEndpointPicker: the metrics that the endpoint picker is told of are documented
// ones, which another test compares with the server's.
func TestEndpointPicker(t *testing.T) {
	docs, err := os.ReadFile("../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../kubernetes/components/gateway/endpoint-picker.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Plugins []struct {
			Type       string
			Parameters struct{ EngineConfigs []map[string]string }
		}
		SchedulingProfiles []struct {
			Plugins []struct{ PluginRef string }
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	types := make(map[string]bool)
	metrics := 0
	for _, p := range config.Plugins {
		types[p.Type] = true
		for _, e := range p.Parameters.EngineConfigs {
			for field, metric := range e {
				if !strings.HasSuffix(field, "Spec") {
					continue
				}
				metrics++
				if !bytes.Contains(docs, []byte("| `"+metric+"`")) && !bytes.Contains(docs, []byte("| `"+metric+"{")) {
					t.Errorf("%s: %s is no metric of the server", field, metric)
				}
			}
		}
	}
	if metrics != 4 {
		t.Errorf("%d metrics; want 4", metrics)
	}
	for _, p := range config.SchedulingProfiles[0].Plugins {
		if !types[p.PluginRef] {
			t.Errorf("the profile names %s, which is no plugin", p.PluginRef)
		}
	}
}
