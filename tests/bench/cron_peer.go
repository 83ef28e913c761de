// The figures of cron_bench.c, from github.com/robfig/cron v3 (Debian: golang-github-robfig-cron-dev).
package main

import (
	"fmt"
	"time"

	"github.com/robfig/cron"
)

const (
	calls  = 5000
	first  = 1700000000
	stride = 86413
	places = 1000
)

var expressions = []string{
	"*/30 * * * * *", "0 */2 15-23 * * 1-5", "0 0 0 1 1 *", "0 30 2 * * *", "0 0 12 29 2 *", "0 5 4 * * 0",
}

func main() {
	fields := cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow
	parser := cron.NewParser(fields)
	for label, name := range map[string]string{"utc": "UTC", "new_york": "America/New_York"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		for _, expression := range expressions {
			schedule, err := parser.Parse(expression)
			if err != nil {
				panic(err)
			}
			start := time.Now()
			for i := int64(0); i < calls; i++ {
				schedule.Next(time.Unix(first+i%places*stride, 0).In(zone))
			}
			fmt.Printf("cron.next.%s[%s] %.1f ns\n", label, expression, float64(time.Since(start))/calls)
			start = time.Now()
			for i := 0; i < calls; i++ {
				_, _ = parser.Parse(expression)
			}
			fmt.Printf("cron.parse.%s[%s] %.1f ns\n", label, expression, float64(time.Since(start))/calls)
		}
	}
}
