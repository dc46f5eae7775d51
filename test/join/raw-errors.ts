/** The message that announces an error. */
export const HEADING =
  'Error message: Error joining to SPP: SPS has failed to join to SPP. For more information, see the error details. (JoinFailed)';

/** The documented errors of a join as SPS shows them, over several lines. */
export const RAW = {
  mismatch: `{
  "response": "Error sending request: SSLError: HTTPSConnectionPool(host='examplespp.company', port=443): Max retries exceeded with url: /service/core/v3/Cluster/SessionModules (Caused by SSLError(CertificateError(\\"hostname 'examplespp.company' doesn't match '192.0.2.123'\\",),))",
  "status": null,
  "url": "https://examplespp.company/service/core/v3/Cluster/SessionModules"
}`,
  login: `{
        "error": "invalid_request",
        "error_description": "Access denied.",
        "success": false
    }`,
  permissions: ` Authorization is required for this request.
       Code: 60108
       URL: https://192.0.2.123/service/core/v3/Cluster/SessionModules
       Status: 403`,
  node: `The session connection has a missing, invalid, or non-unique
value [ NodeId ].
       Code: 60657
       URL: https://192.0.2.123/service/core/v3/Cluster/SessionModules
       Status: 400`,
  validation: `ERROR: Request to https://192.0.2.123/service/a2a/v2/PsmValidation failed, response (HTTP 403):
    {
        "Code": 60108,
        "Message": "Authorization is required for this request.",
        "InnerError": null
    }`,
} as const;
