// The key ceremony of `creance-server init`: makes the keys, the first root and targets metadata, the first tree, the operator's token and the database in an empty folder.
//
//     DIR/offline-keys/root.pem, targets.pem   to be taken away from this machine
//     DIR/signer/…                             what creance-signer needs (keys/<role>.pem, root.json, targets.json)
//     DIR/tuf/…                                the tree · DIR/root.json what sensors are shipped with
//     DIR/server.db, DIR/operator.token (0600)
#pragma once
#include <filesystem>
#include <vector>

#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "base/seams/random.hpp"
#include "trust/core/key.hpp"

namespace creance::server {

struct CeremonyRequest {
  std::filesystem::path dir;
  std::vector<trust::PublicKey> content_keys;
  uint32_t content_threshold = 1;
};
// kExists: there is something already · kInvalid: the threshold does not fit the keys. On an error the folder is as it was.
Status key_ceremony(const CeremonyRequest& request, FileSystem& files, Random& random, const Clock& clock);

}  // namespace creance::server
