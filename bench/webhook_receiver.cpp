// A receiver that is no bottleneck: takes signed webhooks on several ports, checks every signature, and remembers when
// each one came. The benches of the whole program start it and read its answers on the first port.
//
//   webhook_receiver <ports>         prints the ports in one line; ends with its standard input
//   PUT  /secrets   {"<trigger id>": "whsec_…", …}: what signs the webhooks of a trigger
//   GET  /stats     {"received", "different", "refused", "first_us", "last_us"}, times in microseconds since 1970
//   GET  /arrivals  a line for each webhook: <microseconds> <block number> <number of the port> <its id>
//   POST /reset     forgets what came
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <unordered_set>

#include "core/async/task.hpp"
#include "core/base/time.hpp"
#include "core/json/json.hpp"
#include "delivery/standard_webhooks.hpp"
#include "net/http_server.hpp"

namespace agentauri::bench {
namespace {

struct Arrival {
  std::int64_t at_us = 0;
  std::string block_num;
  std::size_t port = 0;
  std::string id;
};

std::string field(const net::HttpRequest& request, std::string_view name) {
  const auto* value = request.headers.find(name);
  return value == nullptr ? std::string() : *value;
}

// The block number of the payload, without reading all of its JSON: this program's CPU time counts too.
std::string block_number(std::string_view body) {
  constexpr std::string_view kName = "\"block_number\":";
  const auto at = body.find(kName);
  if (at == std::string_view::npos) return "0";
  const auto digits = body.substr(at + kName.size());
  return std::string(digits.substr(0, digits.find_first_not_of("0123456789")));
}

// Used on one executor.
class Receiver {
 public:
  net::HttpResponse handle(const net::HttpRequest& request, std::size_t port) {
    net::HttpResponse out;
    if (request.path == "/hook") {
      take(request, port, out);
    } else if (request.path == "/secrets") {
      const auto secrets = json::parse(request.body);
      for (const auto& [trigger, secret] : secrets->get_object()) secrets_[trigger] = json::view(secret.get_string());
    } else if (request.path == "/stats") {
      out.body = fmt::format(R"({{"received":{},"different":{},"refused":{},"first_us":{},"last_us":{}}})",
                             arrivals_.size(), ids_.size(), refused_, arrivals_.empty() ? 0 : arrivals_.front().at_us,
                             arrivals_.empty() ? 0 : arrivals_.back().at_us);
    } else if (request.path == "/arrivals") {
      for (const auto& a : arrivals_) out.body += fmt::format("{} {} {} {}\n", a.at_us, a.block_num, a.port, a.id);
    } else if (request.path == "/reset") {
      arrivals_.clear();
      ids_.clear();
      refused_ = 0;
    } else {
      out.status = 404;
    }
    return out;
  }

 private:
  void take(const net::HttpRequest& request, std::size_t port, net::HttpResponse& out) {
    const std::int64_t now = to_micros(SystemClock().now());
    const std::string id = field(request, "webhook-id");
    const auto secret = secrets_.find(field(request, "x-agentauri-trigger-id"));
    if (secret != secrets_.end()) {
      const auto expected = delivery::sign_webhook(
          {secret->second}, id, std::atoll(field(request, "webhook-timestamp").c_str()), request.body);
      if (expected && *expected == field(request, "webhook-signature")) {
        arrivals_.push_back({now, block_number(request.body), port, id});
        ids_.insert(id);
        return;
      }
    }
    ++refused_;
    out.status = 401;
  }

  std::map<std::string, std::string, std::less<>> secrets_;
  std::vector<Arrival> arrivals_;
  std::unordered_set<std::string> ids_;
  std::size_t refused_ = 0;
};

int run(std::size_t ports) {
  IoThread thread("receiver");
  Receiver receiver;
  std::vector<std::unique_ptr<net::HttpServer>> servers;
  for (std::size_t port = 0; port < ports; ++port) {
    auto handle = [&receiver, port](net::HttpRequest request) -> Task<net::HttpResponse> {
      co_return receiver.handle(request, port);
    };
    auto render_error = [](int status, std::string_view text, const net::HttpRequest&) {
      net::HttpResponse out;
      out.status = status;
      out.body = text;
      return out;
    };
    servers.push_back(std::make_unique<net::HttpServer>(std::vector{thread.executor()}, net::HttpServer::Settings{},
                                                        handle, render_error));
    if (const auto started = servers.back()->start(); !started) {
      fmt::print(stderr, "webhook_receiver: {}\n", started.error().text);
      return 1;
    }
    fmt::print("{}{}", port == 0 ? "" : " ", servers.back()->port());
  }
  fmt::print("\n");
  std::fflush(stdout);
  char ignored[256];
  while (::read(STDIN_FILENO, ignored, sizeof ignored) > 0) continue;
  std::_Exit(0);   // whoever started it is gone, and nothing of this has to be kept
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  const std::size_t ports = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1;
  return agentauri::bench::run(ports > 0 ? ports : 1);
}
