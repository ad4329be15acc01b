package iam

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	api "github.com/slipway-dev/slipway/api/iamapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// world is the service behind a real endpoint, and a client that signs as root.
type world struct {
	t       *testing.T
	store   *store.Store
	service *Service
	server  *httptest.Server
	client  *awsapi.Client
}

const own = "123456789012"

func newWorld(t *testing.T) *world {
	st, err := store.Open(store.Config{}, Tables()...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, service: New(Config{Store: st})}
	mux := awsapi.NewMux(awsapi.Config{Credentials: Credentials(st)}, w.service.API())
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	var key, secret string
	if err := st.Update(func(tx *store.Tx) error { key, secret = EnsureRoot(tx, own); return nil }); err != nil {
		t.Fatal(err)
	}
	w.client = w.as(key, secret)
	return w
}

func (w *world) as(key, secret string) *awsapi.Client {
	return awsapi.NewClient(awsapi.ClientConfig{Endpoint: w.server.URL, Region: "us-east-1", AccessKey: key, SecretKey: secret, HTTP: http.DefaultClient})
}

// call calls an operation and wants the error code, or none.
func call[O, I any](w *world, op string, in *I, code string) *O {
	w.t.Helper()
	return callAs[O](w, w.client, op, in, code)
}

func callAs[O, I any](w *world, c *awsapi.Client, op string, in *I, code string) *O {
	w.t.Helper()
	out, err := awsapi.Call[I, O](w.t.Context(), c, "iam", op, in)
	got := ""
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		got = e.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != code {
		w.t.Fatalf("%s: %v, want code %q", op, err, code)
	}
	return out
}

const (
	trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	allow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`
)

func TestRoleFromCreationToDeletion(t *testing.T) {
	w := newWorld(t)
	role := call[api.CreateRoleOutput](w, "CreateRole", &api.CreateRoleInput{RoleName: new("web"), Path: new("/app/"), AssumeRolePolicyDocument: new(trust), Tags: []api.Tag{{Key: new("team"), Value: new("a")}}}, "").Role
	if *role.Arn != "arn:aws:iam::123456789012:role/app/web" || !strings.HasPrefix(*role.RoleId, "AROA") || len(*role.RoleId) != 21 {
		t.Errorf("%s %s", *role.Arn, *role.RoleId)
	}
	if !strings.HasPrefix(*role.AssumeRolePolicyDocument, "%7B%22Version%22") {
		t.Errorf("the document is not URL-encoded: %s", *role.AssumeRolePolicyDocument)
	}
	call[api.CreateRoleOutput](w, "CreateRole", &api.CreateRoleInput{RoleName: new("WEB"), AssumeRolePolicyDocument: new(trust)}, "EntityAlreadyExists")
	execution := "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
	call[api.AttachRolePolicyOutput](w, "AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: new("web"), PolicyArn: &execution}, "")
	call[api.AttachRolePolicyOutput](w, "AttachRolePolicy", &api.AttachRolePolicyInput{RoleName: new("web"), PolicyArn: new("arn:aws:iam::aws:policy/NoSuchPolicyAtAll")}, "NoSuchEntity")
	attached := call[api.ListAttachedRolePoliciesOutput](w, "ListAttachedRolePolicies", &api.ListAttachedRolePoliciesInput{RoleName: new("web")}, "").AttachedPolicies
	if len(attached) != 1 || *attached[0].PolicyArn != execution || *attached[0].PolicyName != "AmazonECSTaskExecutionRolePolicy" {
		t.Errorf("%+v", attached)
	}
	call[api.DeleteRoleOutput](w, "DeleteRole", &api.DeleteRoleInput{RoleName: new("web")}, "DeleteConflict")
	call[api.DetachRolePolicyOutput](w, "DetachRolePolicy", &api.DetachRolePolicyInput{RoleName: new("web"), PolicyArn: &execution}, "")
	call[api.PutRolePolicyOutput](w, "PutRolePolicy", &api.PutRolePolicyInput{RoleName: new("web"), PolicyName: new("logs"), PolicyDocument: new(allow)}, "")
	call[api.DeleteRoleOutput](w, "DeleteRole", &api.DeleteRoleInput{RoleName: new("web")}, "DeleteConflict")
	call[api.DeleteRolePolicyOutput](w, "DeleteRolePolicy", &api.DeleteRolePolicyInput{RoleName: new("web"), PolicyName: new("logs")}, "")
	call[api.CreateInstanceProfileOutput](w, "CreateInstanceProfile", &api.CreateInstanceProfileInput{InstanceProfileName: new("p")}, "")
	call[api.AddRoleToInstanceProfileOutput](w, "AddRoleToInstanceProfile", &api.AddRoleToInstanceProfileInput{InstanceProfileName: new("p"), RoleName: new("web")}, "")
	call[api.DeleteRoleOutput](w, "DeleteRole", &api.DeleteRoleInput{RoleName: new("web")}, "DeleteConflict")
	call[api.RemoveRoleFromInstanceProfileOutput](w, "RemoveRoleFromInstanceProfile", &api.RemoveRoleFromInstanceProfileInput{InstanceProfileName: new("p"), RoleName: new("web")}, "")
	call[api.DeleteRoleOutput](w, "DeleteRole", &api.DeleteRoleInput{RoleName: new("web")}, "")
	call[api.GetRoleOutput](w, "GetRole", &api.GetRoleInput{RoleName: new("web")}, "NoSuchEntity")
}

func TestPolicyDocuments(t *testing.T) {
	w := newWorld(t)
	call[api.CreateRoleOutput](w, "CreateRole", &api.CreateRoleInput{RoleName: new("known"), AssumeRolePolicyDocument: new(trust)}, "")
	for name, c := range map[string]struct{ document, code string }{
		"good":              {trust, ""},
		"known principal":   {strings.Replace(trust, `"Service":"ecs-tasks.amazonaws.com"`, `"AWS":["arn:aws:iam::123456789012:role/known","210987654321"]`, 1), ""},
		"unknown principal": {strings.Replace(trust, `"Service":"ecs-tasks.amazonaws.com"`, `"AWS":"arn:aws:iam::123456789012:role/nobody"`, 1), "MalformedPolicyDocument"},
		"not JSON":          {`{"Version"`, "MalformedPolicyDocument"},
		"no statement":      {`{"Version":"2012-10-17"}`, "MalformedPolicyDocument"},
		"other version":     {strings.Replace(trust, "2012", "2013", 1), "MalformedPolicyDocument"},
		"no principal":      {allow, "MalformedPolicyDocument"},
		"odd service":       {strings.Replace(trust, "ecs-tasks.amazonaws.com", "nonsense", 1), "MalformedPolicyDocument"},
		"odd effect":        {strings.Replace(trust, "Allow", "allow", 1), "MalformedPolicyDocument"},
		"misspelt element":  {strings.Replace(trust, "Principal", "Principals", 1), "MalformedPolicyDocument"},
		"other action":      {strings.Replace(trust, "sts:AssumeRole", "s3:GetObject", 1), "MalformedPolicyDocument"},
	} {
		t.Run(name, func(t *testing.T) {
			call[api.CreateRoleOutput](w, "CreateRole", &api.CreateRoleInput{RoleName: new(strings.ReplaceAll(name, " ", "-")), AssumeRolePolicyDocument: &c.document}, c.code)
		})
	}
	for name, c := range map[string]struct{ document, code string }{
		"principal":   {trust, "MalformedPolicyDocument"},
		"no resource": {strings.Replace(allow, `,"Resource":"*"`, "", 1), "MalformedPolicyDocument"},
		"no vendor":   {strings.Replace(allow, "logs:*", "logs", 1), "MalformedPolicyDocument"},
		"too big":     {strings.Replace(allow, `"*"}`, `"arn:aws:s3:::`+strings.Repeat("b", 11000)+`"}`, 1), "LimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			call[api.PutRolePolicyOutput](w, "PutRolePolicy", &api.PutRolePolicyInput{RoleName: new("known"), PolicyName: new("x"), PolicyDocument: &c.document}, c.code)
		})
	}
}

func TestManagedPolicyVersions(t *testing.T) {
	w := newWorld(t)
	p := call[api.CreatePolicyOutput](w, "CreatePolicy", &api.CreatePolicyInput{PolicyName: new("logs"), PolicyDocument: new(allow)}, "").Policy
	for range 4 {
		call[api.CreatePolicyVersionOutput](w, "CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: new(allow), SetAsDefault: new(true)}, "")
	}
	call[api.CreatePolicyVersionOutput](w, "CreatePolicyVersion", &api.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: new(allow)}, "LimitExceeded")
	call[api.DeletePolicyVersionOutput](w, "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: new("v5")}, "DeleteConflict")
	call[api.DeletePolicyOutput](w, "DeletePolicy", &api.DeletePolicyInput{PolicyArn: p.Arn}, "DeleteConflict")
	for _, v := range []string{"v1", "v2", "v3", "v4"} {
		call[api.DeletePolicyVersionOutput](w, "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: &v}, "")
	}
	got := call[api.GetPolicyOutput](w, "GetPolicy", &api.GetPolicyInput{PolicyArn: p.Arn}, "").Policy
	if *got.DefaultVersionId != "v5" || *got.AttachmentCount != 0 {
		t.Errorf("%+v", got)
	}
	call[api.DeletePolicyOutput](w, "DeletePolicy", &api.DeletePolicyInput{PolicyArn: p.Arn}, "")
	call[api.DeletePolicyOutput](w, "DeletePolicy", &api.DeletePolicyInput{PolicyArn: new("arn:aws:iam::aws:policy/AdministratorAccess")}, "AccessDenied")
	v := call[api.GetPolicyVersionOutput](w, "GetPolicyVersion", &api.GetPolicyVersionInput{PolicyArn: new("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"), VersionId: new("v1")}, "")
	if !strings.Contains(*v.PolicyVersion.Document, "ecr%3AGetAuthorizationToken") {
		t.Error(*v.PolicyVersion.Document)
	}
}

// TestAWSsPoliciesAreWellFormed holds the embedded documents to the rules that
// users' documents are held to.
func TestAWSsPoliciesAreWellFormed(t *testing.T) {
	for _, p := range awsPolicies() {
		if err := checkPermissions(p.Versions[0].Document); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestUsersAndTheirKeys(t *testing.T) {
	w := newWorld(t)
	call[api.CreateUserOutput](w, "CreateUser", &api.CreateUserInput{UserName: new("ann")}, "")
	first := call[api.CreateAccessKeyOutput](w, "CreateAccessKey", &api.CreateAccessKeyInput{UserName: new("ann")}, "").AccessKey
	call[api.CreateAccessKeyOutput](w, "CreateAccessKey", &api.CreateAccessKeyInput{UserName: new("ann")}, "")
	call[api.CreateAccessKeyOutput](w, "CreateAccessKey", &api.CreateAccessKeyInput{UserName: new("ann")}, "LimitExceeded")
	ann := w.as(*first.AccessKeyId, *first.SecretAccessKey)
	me := callAs[api.GetUserOutput](w, ann, "GetUser", &api.GetUserInput{}, "")
	if *me.User.UserName != "ann" {
		t.Errorf("%+v", me.User)
	}
	call[api.UpdateAccessKeyOutput](w, "UpdateAccessKey", &api.UpdateAccessKeyInput{UserName: new("ann"), AccessKeyId: first.AccessKeyId, Status: api.StatusTypeInactive}, "")
	callAs[api.GetUserOutput](w, ann, "GetUser", &api.GetUserInput{}, "InvalidClientTokenId")
	call[api.DeleteUserOutput](w, "DeleteUser", &api.DeleteUserInput{UserName: new("ann")}, "DeleteConflict")
	for _, k := range call[api.ListAccessKeysOutput](w, "ListAccessKeys", &api.ListAccessKeysInput{UserName: new("ann")}, "").AccessKeyMetadata {
		call[api.DeleteAccessKeyOutput](w, "DeleteAccessKey", &api.DeleteAccessKeyInput{UserName: new("ann"), AccessKeyId: k.AccessKeyId}, "")
	}
	if keys := call[api.ListSSHPublicKeysOutput](w, "ListSSHPublicKeys", &api.ListSSHPublicKeysInput{UserName: new("ann")}, "").SSHPublicKeys; len(keys) > 0 {
		t.Errorf("SSH keys %+v", keys)
	}
	call[api.ListMFADevicesOutput](w, "ListMFADevices", &api.ListMFADevicesInput{UserName: new("bob")}, "NoSuchEntity")
	call[api.ListVirtualMFADevicesOutput](w, "ListVirtualMFADevices", &api.ListVirtualMFADevicesInput{}, "")
	call[api.DeleteLoginProfileOutput](w, "DeleteLoginProfile", &api.DeleteLoginProfileInput{UserName: new("ann")}, "NoSuchEntity")
	call[api.CreateGroupOutput](w, "CreateGroup", &api.CreateGroupInput{GroupName: new("devs")}, "")
	call[api.AddUserToGroupOutput](w, "AddUserToGroup", &api.AddUserToGroupInput{GroupName: new("devs"), UserName: new("ann")}, "")
	call[api.DeleteGroupOutput](w, "DeleteGroup", &api.DeleteGroupInput{GroupName: new("devs")}, "DeleteConflict")
	call[api.DeleteUserOutput](w, "DeleteUser", &api.DeleteUserInput{UserName: new("ann")}, "DeleteConflict")
	call[api.RemoveUserFromGroupOutput](w, "RemoveUserFromGroup", &api.RemoveUserFromGroupInput{GroupName: new("devs"), UserName: new("ann")}, "")
	call[api.DeleteUserOutput](w, "DeleteUser", &api.DeleteUserInput{UserName: new("ann")}, "")
	root := call[api.GetUserOutput](w, "GetUser", &api.GetUserInput{}, "").User
	if *root.Arn != "arn:aws:iam::123456789012:root" {
		t.Errorf("%+v", root)
	}
}

func TestListsComeInPages(t *testing.T) {
	w := newWorld(t)
	for _, n := range strings.Fields("a b c d e") {
		call[api.CreateRoleOutput](w, "CreateRole", &api.CreateRoleInput{RoleName: &n, AssumeRolePolicyDocument: new(trust)}, "")
	}
	var names []string
	in := &api.ListRolesInput{MaxItems: new(int32(2))}
	for {
		out := call[api.ListRolesOutput](w, "ListRoles", in, "")
		for _, r := range out.Roles {
			names = append(names, *r.RoleName)
		}
		if !*out.IsTruncated {
			break
		}
		in.Marker = out.Marker
	}
	if strings.Join(names, "") != "abcde" {
		t.Errorf("%q", names)
	}
	call[api.ListRolesOutput](w, "ListRoles", &api.ListRolesInput{Marker: new("foreign")}, "ValidationError")
	call[api.TagRoleOutput](w, "TagRole", &api.TagRoleInput{RoleName: new("a"), Tags: []api.Tag{{Key: new("aws:x"), Value: new("")}}}, "InvalidInput")
}

func TestRootIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	var keys [2]string
	for i := range keys {
		if err := w.store.Update(func(tx *store.Tx) error { keys[i], _ = EnsureRoot(tx, own); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if keys[0] != keys[1] {
		t.Error("a second root key was made")
	}
	ctx := awsapi.WithCaller(context.Background(), awsapi.Caller{Scope: arn.Scope{Account: "210987654321"}})
	if _, err := w.service.GetRole(ctx, &api.GetRoleInput{RoleName: new("web")}); err == nil {
		t.Error("accounts see each other")
	}
}
