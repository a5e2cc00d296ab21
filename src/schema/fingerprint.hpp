// The interface fingerprint of a Template Type: SHA-256 over this text, lines ended by LF:
//   "creance template type 1", the id, the version, then for each input in order "name TAB type".
// In the library creance_schema_loader, since it needs a digest; running programs carry fingerprints that were computed at build time.
#pragma once
#include "schema/type.hpp"

namespace creance::schema {
Fingerprint fingerprint_of(const TemplateType& type);
}
