package hocon_test

import (
	"fmt"

	"github.com/linkspan/linkspan/config/hocon"
)

func ExampleParse() {
	doc, err := hocon.Parse("app.conf", []byte(`
		defaults { timeout = 5s, retries = 2 }
		trucks = ${defaults} { retries = 3 }
		ports = [9123]
		ports += 9124
	`), hocon.Options{})
	if err != nil {
		fmt.Println(err) // with file, line, column and how to mend it
		return
	}
	root, err := doc.Resolve()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := root.MarshalJSON() // never fails
	fmt.Println(string(text))
	fmt.Println(root.At("trucks", "retries").Pos())
	// Output:
	// {"defaults":{"timeout":"5s","retries":2},"trucks":{"timeout":"5s","retries":3},"ports":[9123,9124]}
	// app.conf:3:36
}

func ExampleDocument_Set() {
	doc, err := hocon.Parse("app.conf", []byte(`listeners = [{ name = a, port = 1 }, { name = b, port = 2 }]`), hocon.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err = doc.Set([]string{"listeners", "1", "port"}, "9000", "-Dlisteners.1.port"); err != nil {
		fmt.Println(err)
		return
	}
	root, err := doc.Resolve()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := root.At("listeners").MarshalJSON() // never fails
	fmt.Println(string(text))
	// Output: [{"name":"a","port":1},{"name":"b","port":"9000"}]
}
