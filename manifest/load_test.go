package manifest

import "testing"

func TestReferenceManifestIsShort(t *testing.T) {
	m, err := Load("..", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", m.Services[1])
	if m.StackName() != "TapStackdev" {
		t.Error(m.StackName())
	}
}
