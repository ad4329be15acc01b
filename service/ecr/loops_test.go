package ecr_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/service/ecr"
)

func layerOf(t testing.TB, img v1.Image) string {
	t.Helper()
	ls, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return digestOf(t, ls[0])
}

func TestTheLifecycleLoopKeepsTheLast(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, l := range w.s.Loops() {
			if l.Name == "ecr/lifecycle" {
				_ = l.Run(ctx, w.db, slog.New(slog.DiscardHandler))
			}
		}
	}()
	text := `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`
	if _, err := w.s.PutLifecyclePolicy(w.ctx, &ecrapi.PutLifecyclePolicyInput{RepositoryName: new("web"), LifecyclePolicyText: &text}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if err := crane.Push(image(t), fmt.Sprintf("%s/web:v%d", w.host, i), w.auth()); err != nil {
			t.Fatal(err)
		}
		w.later(time.Minute)
	}
	rev := w.db.Snapshot().Revision()
	for {
		out, err := w.s.ListImages(w.ctx, &ecrapi.ListImagesInput{RepositoryName: new("web")})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.ImageIds) == 2 {
			for _, id := range out.ImageIds {
				if *id.ImageTag != "v2" && *id.ImageTag != "v3" {
					t.Errorf("%s was kept", *id.ImageTag)
				}
			}
			break
		}
		wait, stop := context.WithTimeout(ctx, 10*time.Second)
		if _, rev, err = w.db.Changes(wait, rev); err != nil {
			t.Fatalf("%d images: %v", len(out.ImageIds), err)
		}
		stop()
	}
	cancel()
	<-done
}

func TestRepositoryResource(t *testing.T) {
	w := newWorld(t)
	typ := w.s.Resources()[0]
	request := func(token string) context.Context {
		return awsapi.WithToken(cfn.With(w.ctx, cfn.Request{
			StackID: "stack", StackName: "Tap", LogicalID: "EcrRepo", Token: token,
			Tags: map[string]string{cfn.TagStackID: "stack", cfn.TagStackName: "Tap", cfn.TagLogicalID: "EcrRepo"},
		}), token)
	}
	props := func(doc string) map[string]any {
		var p map[string]any
		if err := json.Unmarshal([]byte(doc), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	full := `{"RepositoryName":"web","ImageScanningConfiguration":{"ScanOnPush":"true"},"EmptyOnDelete":true,
		"LifecyclePolicy":{"LifecyclePolicyText":"{\"rules\":[{\"rulePriority\":1,\"selection\":{\"tagStatus\":\"any\",\"countType\":\"imageCountMoreThan\",\"countNumber\":10},\"action\":{\"type\":\"expire\"}}]}"},
		"EncryptionConfiguration":{"EncryptionType":"AES256"},"RepositoryPolicyText":{"Statement":[]},"Tags":[{"Key":"Team","Value":"a"}]}`
	in, err := typ.Create(request("t1"), props(full))
	if err != nil || in.ID != "web" || !strings.Contains(string(in.State), `"RepositoryUri":"`+w.host+`/web"`) {
		t.Fatalf("%+v %v", in, err)
	}
	again, err := typ.Create(request("t1"), props(full))
	if err != nil || again.ID != in.ID {
		t.Errorf("after a crash: %+v %v", again, err)
	}
	repo, err := ecr.Repositories.Get(w.db.Snapshot(), scope.Key("web"))
	if err != nil || !repo.ScanOnPush || repo.Lifecycle == "" || repo.Policy == "" || repo.Tags["Team"] != "a" || repo.Tags[cfn.TagStackName] != "Tap" {
		t.Errorf("%+v %v", repo, err)
	}
	if _, err := typ.Update(request("t2"), in, props(`{"RepositoryName":"web","ImageTagMutability":"IMMUTABLE","EmptyOnDelete":true}`)); err != nil {
		t.Error(err)
	}
	repo, _ = ecr.Repositories.Get(w.db.Snapshot(), scope.Key("web"))
	if repo.Mutability != "IMMUTABLE" || repo.ScanOnPush || repo.Lifecycle != "" {
		t.Errorf("%+v", repo)
	}
	w.create("foreign")
	if _, err := typ.Create(request("t3"), props(`{"RepositoryName":"foreign"}`)); code(err) != "RepositoryAlreadyExistsException" {
		t.Error(err)
	}
	named, err := typ.Create(request("t4"), props(`{}`))
	if err != nil || !strings.HasPrefix(named.ID, "tap-ecrrepo-") {
		t.Errorf("%+v %v", named, err)
	}
	if err := crane.Push(image(t), w.host+"/"+named.ID+":v1", w.auth()); err != nil {
		t.Fatal(err)
	}
	if err := typ.Delete(request("t5"), named); code(err) != "RepositoryNotEmptyException" {
		t.Error(err)
	}
	for range 2 {
		if err := typ.Delete(request("t6"), in); err != nil {
			t.Error(err)
		}
	}
}
