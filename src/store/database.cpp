#include "store/database.hpp"

#include <condition_variable>
#include <mutex>

namespace agentauri::store {
namespace {

std::vector<const Query*>& registry() {
  static std::vector<const Query*> queries;
  return queries;
}

}   // namespace

Query::Query(std::string_view n, std::string_view s, std::string_view p) : name(n), sql(s), postgres(p) {
  registry().push_back(this);
}

const std::vector<const Query*>& all_queries() {
  return registry();
}

Task<Result<void>> Database::run(Mode mode, Priority priority, Body body) {
  struct Answer {
    explicit Answer(Executor executor) : completion(std::move(executor)) {}
    Completion completion;
    Result<void> outcome;
  };
  auto answer = std::make_shared<Answer>(co_await this_executor());
  submit(mode, priority, std::move(body), [answer](Result<void> outcome) {
    answer->outcome = std::move(outcome);
    answer->completion.complete();
  });
  co_await answer->completion.wait();
  co_return std::move(answer->outcome);
}

Result<void> Database::run_blocking(Mode mode, Priority priority, Body body) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable ready;
    bool done = false;
    Result<void> outcome;
  };
  auto answer = std::make_shared<Answer>();
  submit(mode, priority, std::move(body), [answer](Result<void> outcome) {
    const std::lock_guard lock(answer->mutex);
    answer->outcome = std::move(outcome);
    answer->done = true;
    answer->ready.notify_one();
  });
  std::unique_lock lock(answer->mutex);
  answer->ready.wait(lock, [&answer] { return answer->done; });
  return std::move(answer->outcome);
}

Task<Result<Rows>> Database::query(const Query& query, Params params) {
  return snapshot<Rows>([&query, params = std::move(params)](Tx& tx) { return tx.run(query, params); });
}

Result<Rows> Database::query_blocking(const Query& query, Params params) {
  return snapshot_blocking<Rows>([&query, params = std::move(params)](Tx& tx) { return tx.run(query, params); });
}

}   // namespace agentauri::store
