// Messages on their way from those who take them in to those who keep or judge them. In process: publish() returns when every subscriber has taken the message, or with the first
// refusal, so that an answer "stored" is true. A broker behind the same interface answers when it has the message safely.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance::server {

struct BusMessage {
  std::string topic;   // "detections"
  std::string sender;  // sensor id
  std::vector<std::string> records;
};

class Bus {
 public:
  virtual ~Bus() = default;
  virtual void subscribe(const std::string& topic, std::function<Status(const BusMessage&)> take) = 0;
  virtual Status publish(const BusMessage& message) = 0;
};

class InProcessBus final : public Bus {
 public:
  void subscribe(const std::string& topic, std::function<Status(const BusMessage&)> take) override { subscribers_[topic].push_back(std::move(take)); }
  Status publish(const BusMessage& message) override {
    for (const auto& take : subscribers_[message.topic]) TRY_VOID(take(message));
    return {};
  }

 private:
  std::map<std::string, std::vector<std::function<Status(const BusMessage&)>>> subscribers_;
};

}  // namespace creance::server
