// Patterns with wildcards: the head is matched at the start, the tail backwards from the end, what stands between two runs at its first place in between.
// No backtracking: taking the first place for a middle part never loses a match.
#include <cstring>

#include "channel/cost.hpp"
#include "channel/utf8.hpp"
#include "interpreter/state.hpp"

namespace creance::interpreter {
namespace {

using channel::GlobKind;
using channel::GlobToken;
constexpr size_t kNone = std::string_view::npos;

// The length of the dash that `text` begins with (windash: `-` `/` U+2013 U+2014 U+2015), or 0.
size_t dash_size(std::string_view text) noexcept {
  if (text.starts_with('-') || text.starts_with('/')) return 1;
  if (text.size() >= 3 && text[0] == '\xe2' && text[1] == '\x80' && text[2] >= '\x93' && text[2] <= '\x95') return 3;
  return 0;
}

// Token texts, with the run-time check that they lie in the file.
bool token_text(Context& c, const GlobToken& token, std::string_view& out) noexcept {
  if (uint64_t{token.text.offset} + token.text.size > c.l.texts.size()) return c.fail(FaultCode::kProgram);
  out = c.l.texts.substr(token.text.offset, token.text.size);
  c.steps += channel::chunks(out.size());
  return true;
}

// Matches `tokens` (no runs) from `at` on; the end of the match or kNone.
size_t match_forward(Context& c, std::span<const GlobToken> tokens, std::string_view text, size_t at) noexcept {
  for (const GlobToken& token : tokens) {
    const std::string_view rest = text.substr(at);
    std::string_view want;
    switch (token.kind) {
      case GlobKind::kText:
        if (!token_text(c, token, want) || !rest.starts_with(want)) return kNone;
        at += want.size();
        break;
      case GlobKind::kAnyOne:
        if (rest.empty()) return kNone;
        at += channel::decode(rest.data(), rest.data() + rest.size()).size;
        ++c.steps;
        break;
      case GlobKind::kDash: {
        const size_t size = dash_size(rest);
        ++c.steps;
        if (size == 0) return kNone;
        at += size;
        break;
      }
      case GlobKind::kAnyRun:
      default: c.fail(FaultCode::kProgram); return kNone;
    }
  }
  return at;
}

// Matches `tokens` so that they end at the end of `text`; the start of the match or kNone.
size_t match_backward(Context& c, std::span<const GlobToken> tokens, std::string_view text) noexcept {
  size_t end = text.size();
  for (size_t i = tokens.size(); i-- > 0;) {
    const std::string_view rest = text.substr(0, end);
    std::string_view want;
    switch (tokens[i].kind) {
      case GlobKind::kText:
        if (!token_text(c, tokens[i], want) || !rest.ends_with(want)) return kNone;
        end -= want.size();
        break;
      case GlobKind::kAnyOne:
      case GlobKind::kDash: {
        if (rest.empty()) return kNone;
        ++c.steps;
        const size_t size = channel::size_before(rest.data(), rest.data() + rest.size());
        if (tokens[i].kind == GlobKind::kDash && dash_size(rest.substr(end - size)) != size) return kNone;
        end -= size;
        break;
      }
      case GlobKind::kAnyRun:
      default: c.fail(FaultCode::kProgram); return kNone;
    }
  }
  return end;
}

// The end of the first match of `tokens` (no runs, not empty) at or after `at`, or kNone.
size_t search_forward(Context& c, std::span<const GlobToken> tokens, std::string_view text, size_t at) noexcept {
  std::string_view first;
  const bool by_text = tokens.front().kind == GlobKind::kText;
  if (by_text && !token_text(c, tokens.front(), first)) return kNone;
  if (by_text && first.empty()) return c.fail(FaultCode::kProgram), kNone;
  while (true) {
    if (by_text) {
      const size_t place = find(c, text.substr(at), first);
      if (place == kNone) return kNone;
      at += place;
    } else {
      ++c.steps;
    }
    const size_t end = by_text ? match_forward(c, tokens.subspan(1), text, at + first.size()) : match_forward(c, tokens, text, at);
    if (end != kNone || c.broken) return c.broken ? kNone : end;
    if (at >= text.size()) return kNone;
    at += by_text ? 1 : channel::decode(text.data() + at, text.data() + text.size()).size;
  }
}

size_t run_at_or_after(std::span<const GlobToken> tokens, size_t at) noexcept {
  while (at < tokens.size() && tokens[at].kind != GlobKind::kAnyRun) ++at;
  return at;
}

}  // namespace

bool run_glob(Context& c, std::span<const GlobToken> tokens, std::string_view text, bool cut) noexcept {
  if (cut && (tokens.empty() || tokens.back().kind != GlobKind::kAnyRun)) return false;
  size_t run = run_at_or_after(tokens, 0);
  size_t at = match_forward(c, tokens.first(run), text, 0);
  if (at == kNone) return false;
  if (run == tokens.size()) return at == text.size();
  size_t last_run = tokens.size() - 1;
  while (tokens[last_run].kind != GlobKind::kAnyRun) --last_run;
  const size_t tail = match_backward(c, tokens.subspan(last_run + 1), text);
  if (tail == kNone || tail < at) return false;
  const std::string_view body = text.substr(0, tail);
  while (run < last_run) {
    const size_t next = run_at_or_after(tokens, run + 1);
    if (next == run + 1) return c.fail(FaultCode::kProgram);  // two runs side by side
    at = search_forward(c, tokens.subspan(run + 1, next - run - 1), body, at);
    if (at == kNone) return false;
    run = next;
  }
  return true;
}

}  // namespace creance::interpreter
