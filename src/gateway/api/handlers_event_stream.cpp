// The event stream: server-sent events (WHATWG HTML, 9.2) over the block log. The id of each is the position behind it,
// so a client that comes back with the last one it saw goes on exactly there.
#include <fmt/format.h>

#include "gateway/api/event_selection.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/event_feed.hpp"
#include "gateway/limits/open_streams.hpp"
#include "gateway/use_cases/event_log.hpp"

namespace agentauri::gateway::handlers {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kCredentialCheck = 1s;   // so long a credential that was revoked still reads
constexpr std::chrono::seconds kKeepAlive = 15s;             // proxies and clients give up on what is silent for longer
constexpr int kReconnectMs = 2000;
constexpr std::size_t kMaxPieceBytes = 64 * 1024;   // handed to the connection at once

struct StreamRequest {
  EventSelection selection;
  std::optional<LogPosition> from;   // nullopt: from now on
};

// A browser's EventSource cannot set the header the first time, so the query may hold it too; the header is newer.
Outcome<StreamRequest> read_stream_request(const Request& request) {
  QueryReader query(request.http.query);
  StreamRequest out;
  out.selection = read_event_selection(query);
  auto id = query.text({"last_event_id", "lastEventId"});
  if (query.refusal()) return std::unexpected(*query.refusal());
  if (const auto* header = request.http.headers.find("Last-Event-ID"); header != nullptr && !header->empty())
    id = *header;
  if (!id || id->empty()) return out;
  out.from = LogPosition::parse(*id);
  if (!out.from) {
    Validation faults;
    faults.add("Last-Event-ID", "unknown_position", "is not the id of an event of this stream");
    return std::unexpected(faults.refusal());
  }
  return out;
}

// One client. Lives in the answer's `stream`, on the connection's executor.
class EventStream {
 public:
  EventStream(Services& services, Credential credential, EventSelection selection, LogPosition position,
              std::shared_ptr<OpenStreams::Place> place)
      : services_(services),
        credential_(std::move(credential)),
        selection_(std::move(selection)),
        position_(std::move(position)),
        place_(std::move(place)) {}

  // Until the client is gone, its credential is void, the server stops, or the store does not answer: the client comes
  // back then, and is told why.
  Task<void> run(net::BodyStream& out) {
    // Before the first read, so that nothing falls between the two.
    const auto grown = services_.feed.listen(co_await this_executor());
    if (!co_await send(out, fmt::format("retry: {}\n: from here on\nid: {}\n\n", kReconnectMs, position_.to_text())))
      co_return;
    while (co_await is_allowed()) {
      auto page = co_await read();
      if (!page || !co_await send_page(out, *page)) co_return;
      if (page->has_more) continue;
      if (!co_await wait(out, *grown)) co_return;
    }
  }

 private:
  Task<bool> send(net::BodyStream& out, std::string_view piece) {
    sent_at_ = SteadyClock::now();
    co_return co_await out.write(piece);
  }

  Task<bool> is_allowed() {
    std::optional<KeyVerdict> refused;
    auto principal = co_await services_.authenticator.authenticate(credential_, refused);
    co_return principal && principal->kind != domain::Principal::Kind::anonymous && !co_await cancelled();
  }

  Task<Result<LogPage>> read() {
    if (selection_.is_empty) co_return LogPage{.items = {}, .after = position_};
    co_return co_await services_.db.snapshot<LogPage>(
        [from = position_, filter = selection_.filter](store::Tx& tx) { return read_log(tx, from, filter); },
        store::Priority::bulk);
  }

  Task<bool> send_page(net::BodyStream& out, LogPage& page) {
    std::string piece;
    for (const auto& item : page.items) {
      piece += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", item.after.to_text(),
                           item.retracted ? "retracted" : "event", json::dump(render_event(item.event)));
      if (piece.size() < kMaxPieceBytes) continue;
      if (!co_await send(out, piece)) co_return false;
      piece.clear();
    }
    position_ = std::move(page.after);
    co_return piece.empty() || co_await send(out, piece);
  }

  // Until the log may have grown. false: it is over.
  Task<bool> wait(net::BodyStream& out, Signal& grown) {
    while (!co_await grown.wait_for(kCredentialCheck)) {
      if (!co_await is_allowed()) co_return false;
      if (SteadyClock::now() - sent_at_ < kKeepAlive) continue;
      // An id without data moves the client's position past what its filter left out, and makes no event.
      if (!co_await send(out, fmt::format(": still here\nid: {}\n\n", position_.to_text()))) co_return false;
    }
    co_return true;
  }

  Services& services_;
  const Credential credential_;
  const EventSelection selection_;
  LogPosition position_;
  const std::shared_ptr<OpenStreams::Place> place_;
  SteadyClock::time_point sent_at_{};
};

// Where the stream begins, or why it may not.
Task<Outcome<LogPosition>> find_start(Services& services, const Request& request, std::optional<LogPosition> wanted) {
  auto start = co_await services.db.snapshot<Outcome<LogPosition>>(
      [caller = request.caller(services.clock),
       wanted = std::move(wanted)](store::Tx& tx) -> Result<Outcome<LogPosition>> {
        const auto settle = [](auto&& refused) -> Result<Outcome<LogPosition>> {
          if (refused.error().cause) return std::unexpected(*refused.error().cause);
          return Outcome<LogPosition>(pass(refused));
        };
        if (caller.organization_header) {
          if (auto context = resolve_organization(tx, caller); !context) return settle(context);
        }
        if (wanted && wanted->names_none()) {
          auto beginning = beginning_of_log(tx);
          if (!beginning) return fail(beginning);
          return Outcome<LogPosition>(std::move(*beginning));
        }
        if (wanted) {
          if (auto checked = check_position(tx, *wanted); !checked) return settle(checked);
          return Outcome<LogPosition>(*wanted);
        }
        auto end = end_of_log(tx);
        if (!end) return fail(end);
        return Outcome<LogPosition>(std::move(*end));
      });
  if (!start) co_return std::unexpected(store_refusal(start.error(), "Failed to query events"));
  co_return std::move(*start);
}

}   // namespace

Task<Outcome<Reply>> stream_events(Services& services, Request& request) {
  auto wanted = read_stream_request(request);
  if (!wanted) co_return pass(wanted);
  auto start = co_await find_start(services, request, std::move(wanted->from));
  if (!start) co_return pass(start);
  const auto& principal = request.principal;
  auto place = services.streams.take(principal.key ? to_string(*principal.organization) : to_string(principal.account));
  if (!place) co_return pass(place);
  auto stream = std::make_shared<EventStream>(services, find_credential(request.http.headers),
                                              std::move(wanted->selection), std::move(*start), std::move(*place));
  Reply reply;
  reply.headers = {{"Content-Type", "text/event-stream"},
                   {"Cache-Control", "no-cache"},
                   {"X-Accel-Buffering", "no"}};   // nginx passes each piece on at once
  reply.stream = [stream](net::BodyStream& out) { return stream->run(out); };
  co_return reply;
}

}   // namespace agentauri::gateway::handlers
