package main

import (
	"reflect"
	"strings"
	"testing"
)

const record = `engine	ecs	ListTasks	implemented
engine	ecs	RunTask	implemented
engine	ecs	PutAttributes	not implemented
engine	s3	PutObject	implemented
boto3	ecs	RunTask	works
boto3	ecs	PutAttributes	not implemented
Terraform	s3	PutObject	works
`

func TestThePageIsReadBackAsItWasWritten(t *testing.T) {
	m, err := readRecord(strings.NewReader(record))
	if err != nil {
		t.Fatal(err)
	}
	if got := readPage(m.page()); !reflect.DeepEqual(got, m) {
		t.Errorf("%+v\nwant %+v", got, m)
	}
}

func TestThePageIsHeldToTheRecord(t *testing.T) {
	m, err := readRecord(strings.NewReader(record))
	if err != nil {
		t.Fatal(err)
	}
	page := readPage(m.page())
	for name, c := range map[string]struct {
		record string
		wrong  string // "": the page stands
	}{
		"the same":                     {record, ""},
		"more was called":              {record + "boto3\tecs\tListTasks\tworks\n", ""},
		"a client is absent":           {strings.Replace(record, "Terraform\ts3\tPutObject\tworks\n", "", 1), ""},
		"an operation is new":          {record + "engine\ts3\tGetObject\timplemented\n", ""},
		"an operation is gone":         {strings.Replace(record, "ListTasks\timplemented", "ListTasks\tnot implemented", 1), "ListTasks is not implemented"},
		"what worked is not called":    {strings.Replace(record, "boto3\tecs\tRunTask\tworks\n", "", 1), "RunTask with boto3"},
		"what worked does not anymore": {strings.Replace(record, "RunTask\tworks", "RunTask\tnot implemented", 1), "RunTask with boto3"},
	} {
		now, err := readRecord(strings.NewReader(c.record))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(now.contradictions(page), "\n")
		if (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
			t.Errorf("%s: %q, want %q", name, got, c.wrong)
		}
	}
	absent, _ := readRecord(strings.NewReader(strings.Replace(record, "Terraform\ts3\tPutObject\tworks\n", "", 1)))
	if got := absent.with(page); !reflect.DeepEqual(got, m) {
		t.Errorf("a client that is absent loses its column: %+v", got)
	}
}

func TestADamagedRecordIsRefused(t *testing.T) {
	for _, text := range []string{"", "boto3\tecs\tRunTask\tworks\n", "boto3 ecs\n"} {
		if _, err := readRecord(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
