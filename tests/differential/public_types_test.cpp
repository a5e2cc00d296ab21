// Template Types against the public rules: how many compile, and that Types know more of a provider's fields than the rules at hand use.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "compiler/compile.hpp"
#include "schema/catalog.hpp"
#include "shared_data.hpp"
#include "sigma/binder.hpp"

namespace creance {
namespace {

struct Field {
  schema::LogSource logsource;
  std::string_view name;
};

// Of providers' manifests, the audit project's dictionary and the Sigma taxonomy; none of them stands in a rule of the folder for that log source (the test below says so).
const std::vector<Field>& manifest_fields() {
  static const std::vector<Field> fields = {
      {{"windows", "", "security"}, "TargetOutboundUserName"}, {{"windows", "", "security"}, "ClientProcessStartKey"},       {{"windows", "", "security"}, "CertificateTemplate"},
      {{"windows", "", "security"}, "MembershipExpirationTime"}, {{"windows", "", "security"}, "SessionKeyEncryptionType"}, {{"windows", "", "security"}, "FilterOrigin"},
      {{"windows", "", "security"}, "NASIdentifier"},          {{"windows", "", "security"}, "ElevatedToken"},               {{"windows", "", "system"}, "BugcheckCode"},
      {{"windows", "", "system"}, "StartType"},                {{"windows", "", "system"}, "updateTitle"},                   {{"windows", "", "application"}, "FaultingOffset"},
      {{"windows", "", "application"}, "ReportId"},            {{"windows", "", "powershell"}, "RunspaceId"},                {{"windows", "ps_script", ""}, "MessageTotal"},
      {{"windows", "ps_module", ""}, "UserData"},              {{"windows", "", "windefend"}, "RemediationUser"},            {{"windows", "", "windefend"}, "PreviousEngineVersion"},
      {{"windows", "", "bits-client"}, "bytesTransferred"},    {{"windows", "", "bits-client"}, "jobOwner"},                 {{"windows", "", "taskscheduler"}, "TaskInstanceId"},
      {{"windows", "", "wmi"}, "ClientMachineFQDN"},           {{"windows", "", "ntlm"}, "CallerPID"},                       {{"windows", "", "applocker"}, "FilePath"},
      {{"windows", "", "applocker"}, "Fqbn"},                  {{"windows", "", "codeintegrity-operational"}, "PublisherTBSHash"}, {{"windows", "", "codeintegrity-operational"}, "SISigningScenario"},
      {{"windows", "", "firewall-as"}, "RemoteAddresses"},     {{"windows", "", "printservice-admin"}, "DriverName"},         {{"windows", "", "smbclient-security"}, "PrincipalName"},
      {{"windows", "", "smbserver-connectivity"}, "SharePath"}, {{"windows", "", "dns-client"}, "QueryResults"},              {{"windows", "", "dns-server-analytic"}, "RCODE"},
      {{"windows", "", "lsa-server"}, "TargetLogonGuid"},      {{"windows", "", "ldap"}, "AttributeList"},                   {{"windows", "", "appxdeployment-server"}, "PackageSourceUri"},
      {{"windows", "", "security-mitigations"}, "ChildCommandLine"}, {{"windows", "", "vhdmp"}, "VhdFileName"},              {{"windows", "", "terminalservices-localsessionmanager"}, "SessionID"},
      {{"windows", "", "kernel-shimengine"}, "AppliedGuids"},  {{"windows", "", "application-experience"}, "ExecutablePath"}, {{"windows", "file_access", ""}, "CreateOptions"},
      {{"windows", "file_rename", ""}, "FilePath"},            {{"windows", "create_remote_thread", ""}, "RemoteCreation"},   {{"windows", "process_creation", ""}, "ParentSpoofed"},
      {{"windows", "", "sysmon"}, "PreviousCreationUtcTime"},  {{"linux", "", "auditd"}, "proctitle"},                       {{"linux", "", "auditd"}, "nametype"},
      {{"linux", "", "auditd"}, "grantors"},                   {{"linux", "", "auditd"}, "AUID"},                            {{"linux", "network_connection", ""}, "SourceIp"},
      {{"linux", "file_event", ""}, "CreationUtcTime"},        {{"linux", "", "sshd"}, "message"},                           {{"", "webserver", ""}, "c-ip"},
      {{"", "proxy", ""}, "cs-version"},                       {{"", "firewall", ""}, "src_port"},                           {{"", "antivirus", ""}, "Action"},
      {{"windows", "", "windefend"}, "DetectionOrigin"},       {{"windows", "", "windefend"}, "TargetFileHash"},              {{"windows", "", "sense"}, "onboardingState"},
      {{"windows", "", "system"}, "IsatapRouter"},             {{"windows", "", "system"}, "TimeProvider"},                  {{"windows", "", "application"}, "InterferingImageName"},
      {{"windows", "", "printservice-admin"}, "NewDefaultPrinter"}, {{"windows", "process_creation", ""}, "TargetUserName"}, {{"windows", "image_load", ""}, "Message"},
      {{"windows", "", "winrm"}, "resourceUri"},               {{"windows", "", "kernel-pnp"}, "ParentDeviceInstanceId"},    {{"windows", "", "networkprofile"}, "Category"},
      {{"windows", "", "rpc"}, "ProcNum"},                     {{"windows", "", "threat-intelligence"}, "ProtectionMask"},   {{"windows", "", "bits"}, "bytesTotal"},
      {{"linux", "process_creation", ""}, "sha256"},           {{"linux", "", "auth"}, "rhost"},                             {{"", "firewall", ""}, "proto"},
      {{"", "", "netflow"}, "destination.port"},               {{"zeek", "", "dns"}, "trans_id"},                            {{"zeek", "", "kerberos"}, "cipher"},
      {{"cisco", "", "bgp"}, "neighbor"},                      {{"python", "application", ""}, "exception"},                 {{"opencanary", "application", ""}, "src_host"},
      {{"", "network", "dns"}, "dns.question.name"},           {{"", "network", "connection"}, "network.community_id"},      {{"macos", "process_creation", ""}, "ParentCommandLine"},
  };
  return fields;
}

std::string text_of(const schema::LogSource& l) { return fmt::format("{}/{}/{}", l.product, l.category, l.service); }

std::string rule_over(const Field& field) {
  std::string out = "title: A rule over a field\nid: 0a0a0a0a-0000-4000-8000-000000000001\nstatus: test\nlogsource:\n";
  for (const auto& [key, value] : {std::pair{"product", &field.logsource.product}, std::pair{"category", &field.logsource.category}, std::pair{"service", &field.logsource.service}}) {
    if (!value->empty()) out += fmt::format("  {}: {}\n", key, *value);
  }
  return out + fmt::format("detection:\n  sel:\n    {}|contains: needle\n  condition: sel\nlevel: low\n", field.name);
}

TEST(PublicTypes, FieldsOfManifestsBindAndCompile) {
  const schema::Catalog& catalog = schema::Catalog::embedded();
  EXPECT_GE(manifest_fields().size(), 30u);
  for (const Field& field : manifest_fields()) {
    auto parsed = sigma::parse(rule_over(field), "field.yml");
    ASSERT_EQ(parsed.rules.size(), 1u) << text_of(field.logsource) << " " << field.name;
    Diagnostics diagnostics;
    const auto bindings = sigma::bind(parsed.rules[0], catalog, diagnostics);
    EXPECT_FALSE(bindings.empty()) << text_of(field.logsource) << " has no " << field.name;
    for (const sigma::Binding& binding : bindings) {
      const std::vector<compiler::BoundRule> bound = {{&parsed.rules[0], binding.logsource}};
      EXPECT_TRUE(compiler::compile(*binding.type, bound, diagnostics).has_value()) << binding.type->id;
    }
    for (const Diagnostic& d : diagnostics) EXPECT_NE(d.severity, Severity::kError) << to_line(d);
  }
}

TEST(PublicTypes, FieldsOfManifestsStandInNoRuleOfTheFolder) {
  SKIP_WITHOUT_SHARED_DATA();
  std::map<std::string, std::set<std::string>> used;
  for (const sigma::Rule& rule : shared_data::rules()) {
    for (const sigma::Selection& selection : rule.selections) {
      for (const sigma::Alternative& alternative : selection.alternatives) {
        for (const sigma::Item& item : alternative.items) used[text_of(rule.logsource)].insert(to_ascii_lower(item.field));
      }
    }
  }
  for (const Field& field : manifest_fields()) EXPECT_FALSE(used[text_of(field.logsource)].contains(to_ascii_lower(field.name))) << text_of(field.logsource) << " " << field.name;
}

// Every public rule of Windows and Linux, not only those that parse: a rule that is not understood counts as much as one whose field is unknown.
TEST(PublicTypes, NearlyEveryWindowsAndLinuxRuleCompiles) {
  SKIP_WITHOUT_SHARED_DATA();
  const schema::Catalog& catalog = schema::Catalog::embedded();
  std::map<std::string, std::pair<size_t, size_t>> counts;  // product -> compiled, all
  std::vector<std::string> failures;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(shared_data::folder() / "rules")) {
    const std::string folder = entry.path().parent_path().filename().string();
    if (entry.path().extension() != ".yml") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    auto parsed = sigma::parse(text.str(), folder + "/" + entry.path().filename().string());
    std::string product = parsed.rules.empty() ? (folder.starts_with("windows") ? "windows" : folder.starts_with("linux") ? "linux" : "") : parsed.rules[0].logsource.product;
    if (product != "windows" && product != "linux") continue;
    Diagnostics diagnostics = parsed.diagnostics;
    bool compiles = !parsed.rules.empty();
    for (const sigma::Rule& rule : parsed.rules) {
      const auto bindings = sigma::bind(rule, catalog, diagnostics);
      compiles = compiles && !bindings.empty();
      for (const sigma::Binding& binding : bindings) {
        const std::vector<compiler::BoundRule> bound = {{&rule, binding.logsource}};
        if (!compiler::compile(*binding.type, bound, diagnostics)) compiles = false;
      }
    }
    const auto error = std::ranges::find(diagnostics, Severity::kError, &Diagnostic::severity);
    compiles = compiles && error == diagnostics.end();
    ++counts[product].second;
    counts[product].first += compiles;
    if (compiles) continue;
    failures.push_back(error == diagnostics.end() ? folder + "/" + entry.path().filename().string() : to_line(*error));
    EXPECT_NE(error, diagnostics.end()) << failures.back() << ": does not compile, and no diagnostic says why";
  }
  for (const auto& [product, count] : counts) {
    std::cout << fmt::format("{}: {} of {} rules compile\n", product, count.first, count.second);
    EXPECT_GT(count.second, 100u);
    EXPECT_GE(static_cast<double>(count.first), 0.99 * static_cast<double>(count.second)) << product;
  }
  for (const std::string& failure : failures) std::cout << "  " << failure << "\n";
}

}  // namespace
}  // namespace creance
