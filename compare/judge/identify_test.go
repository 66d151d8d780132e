package judge

import "testing"

func TestIdentify(t *testing.T) {
	rules, err := ParseRules("[later]\ncommands: identify\nwhy: it is so\nvalue: kdive \"object of \\S+ at \\S+ pending\"\n")
	if err != nil {
		t.Fatal(err)
	}
	samples, err := ParseSamples(`{"addr":"ff10","any":["object of filp at ff00, allocated"]}
{"addr":"ff20","any":["symbol a+0x4","symbol b+0x0"]}
{"addr":"ff30","any":["object of filp at ff30, allocated"]}
{"addr":"ff40","any":["page: pfn 3 +0x8"]}
{"addr":"ff50","any":["task stack: 7 (x) +0x10"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	out := Prompt + "whatis -q --json ff10\n" + `{"type":"place","what":{"kind":"object","address":"0xff00","cache_name":"filp","state":"allocated"}}` + "\n" +
		Prompt + "whatis -q --json ff20\n" + `{"type":"declaration"}` + "\n" + `{"type":"place","what":{"kind":"symbol","symbol":"b","offset":0}}` + "\n" +
		Prompt + "whatis -q --json ff30\n" + `{"type":"place","what":{"kind":"object","address":"0xff30","cache_name":"filp","state":"pending"}}` + "\n" +
		Prompt + "whatis -q --json ff40\n" + `{"type":"place","what":{"kind":"page struct","page":"0x3000","offset":8}}` + "\n"
	got := Identify(rules, "any", samples, out)
	if got.Equal != 3 || got.Explained != 1 || got.Unexplained != 1 || got.Rules["later"] != 1 {
		t.Errorf("%+v", got)
	}
}
