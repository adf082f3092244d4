-- POST one fixed body: BODY=file CONTENT_TYPE=... wrk -s post.lua http://host:port/path
local file = assert(io.open(assert(os.getenv("BODY"), "BODY names no file"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = os.getenv("CONTENT_TYPE") or "application/json"
file:close()
for name, value in (os.getenv("HEADERS") or ""):gmatch("([^:;]+):([^;]+)") do
  wrk.headers[name] = value
end

function done(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format('RESULT {"requests": %d, "rps": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, '
    .. '"errors": %d}\n', summary.requests, summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
