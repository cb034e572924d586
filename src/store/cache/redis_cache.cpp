#include "store/cache/redis_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/crypto/crypto.hpp"

namespace agentauri::store {
namespace {

const std::vector<double> kRedisBuckets{.0005, .001, .0025, .005, .01, .025, .05, .1, .25};

// One step for all who ask: {allowed, used, when a rejected one fits, in Unix seconds}. A cost of 0 counts nothing.
// ARGV: now (Unix seconds), seconds of a bucket, buckets, limit, cost, whether it counts.
constexpr std::string_view kDecide = R"lua(
local now, width, buckets = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local limit, cost, counts = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local current = math.floor(now / width)
local stored, live, used = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #stored, 2 do
  local number, count = tonumber(stored[i]), tonumber(stored[i + 1])
  if number <= current - buckets then
    if counts then redis.call('HDEL', KEYS[1], stored[i]) end
  else
    used = used + count
    live[#live + 1] = {number, count}
  end
end
if used + cost <= limit then
  if counts then
    redis.call('HINCRBY', KEYS[1], current, cost)
    redis.call('EXPIRE', KEYS[1], (buckets + 1) * width)
    used = used + cost
  end
  return {1, used, 0}
end
table.sort(live, function(a, b) return a[1] < b[1] end)
local left, free_at = used, (current + 1) * width
for _, bucket in ipairs(live) do
  left = left - bucket[2]
  free_at = (bucket[1] + buckets) * width
  if left + cost <= limit then break end
end
return {0, used, free_at}
)lua";

// ARGV: the bucket, and what goes back into it.
constexpr std::string_view kRefund = R"lua(
local count = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if count > 0 then redis.call('HINCRBY', KEYS[1], ARGV[1], -math.min(count, tonumber(ARGV[2]))) end
return {1, count, 0}
)lua";

std::string sha1_of(std::string_view text) {
  return to_hex(crypto::sha1(as_bytes(text)).view());
}

// Of an answer {allowed, used, free_at}; nullopt: it is none.
std::optional<Quota> read_quota(const net::RespValue& answer, const LimitCheck& check) {
  using Kind = net::RespValue::Kind;
  if (answer.kind != Kind::array || answer.items.size() != 3) return std::nullopt;
  for (const auto& item : answer.items) {
    if (item.kind != Kind::integer) return std::nullopt;
  }
  const bool allowed = answer.items[0].integer == 1;
  return make_quota(check, allowed, answer.items[1].integer, answer.items[2].integer);
}

}   // namespace

RedisCache::RedisCache(net::RedisClient& redis, std::function<std::size_t()> sharers, Metrics& metrics)
    : redis_(redis),
      sharers_(std::move(sharers)),
      metrics_(metrics),
      decide_{std::string(kDecide), sha1_of(kDecide)},
      refund_{std::string(kRefund), sha1_of(kRefund)} {}

// By its hash; with its text where Redis does not know it (restarted, or flushed of its scripts).
Task<Result<net::RespValue>> RedisCache::run(const Script& script, std::string_view operation, const LimitCheck& check,
                                             std::int64_t cost) {
  const auto begun = std::chrono::steady_clock::now();
  const std::int64_t width = bucket_seconds(check.window), now = to_unix_seconds(check.now);
  std::vector<std::string> command{"EVALSHA", script.hash, "1", "rl:" + check.key};
  if (&script == &refund_) {
    command.insert(command.end(), {std::to_string(now / width), std::to_string(cost)});
  } else {
    command.insert(command.end(), {std::to_string(now), std::to_string(width), std::to_string(kBuckets),
                                   std::to_string(check.limit), std::to_string(cost), operation == "take" ? "1" : "0"});
  }
  auto answer = co_await redis_.run(command);
  if (answer && answer->is_error("NOSCRIPT")) {
    command[0] = "EVAL";
    command[1] = script.text;
    answer = co_await redis_.run(std::move(command));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  metrics_
      .histogram("rate_limit_redis_duration_seconds", "Duration of a limit's look at Redis", kRedisBuckets,
                 {{"operation", std::string(operation)}})
      .observe(took.count());
  if (answer && answer->kind == net::RespValue::Kind::error)
    answer = fail(Code::protocol, fmt::format("Redis answers: {}", answer->text.substr(0, 200)));
  if (!answer) count_error(answer.error());
  co_return answer;
}

void RedisCache::count_error(const Error& error) {
  const auto* type = error.code == Code::timed_out ? "timeout" : error.code == Code::protocol ? "script" : "connection";
  metrics_.counter("rate_limit_redis_errors_total", "Limits that Redis could not decide", {{"error_type", type}}).add();
}

Task<Quota> RedisCache::decide(LimitCheck check, bool counts) {
  if (redis_.is_connected()) {
    auto answer = co_await run(decide_, counts ? "take" : "peek", check, counts ? check.cost : 0);
    if (answer) {
      if (auto quota = read_quota(*answer, check)) co_return *quota;
      count_error({Code::protocol, {}, {}});
    }
  }
  co_return co_await decide_alone(std::move(check), counts);
}

Task<Quota> RedisCache::decide_alone(LimitCheck check, bool counts) {
  const auto sharers = static_cast<std::int64_t>(std::max<std::size_t>(1, sharers_()));
  check.limit = std::max<std::int64_t>(1, check.limit / sharers);
  auto quota = counts ? co_await alone_.take(std::move(check)) : co_await alone_.peek(std::move(check));
  quota.degraded = true;
  co_return quota;
}

Task<Quota> RedisCache::take(LimitCheck check) {
  co_return co_await decide(std::move(check), true);
}
Task<Quota> RedisCache::peek(LimitCheck check) {
  co_return co_await decide(std::move(check), false);
}

// Where it was counted is not known any more when Redis came or went in between: then a place stays taken for a while.
Task<void> RedisCache::refund(LimitCheck check) {
  if (redis_.is_connected() && co_await run(refund_, "refund", check, check.cost)) co_return;
  co_await alone_.refund(std::move(check));
}

}   // namespace agentauri::store
