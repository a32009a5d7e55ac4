import { TestWorkflowEnvironment } from '@temporalio/testing';

// Starts the SDK's ephemeral server once: that is the only way to its download.
const [downloadDir, version] = process.argv.slice(2);
if (!downloadDir || !version) throw new Error('fetch-temporal <directory> <version>');
const executable = { type: 'cached-download' as const, downloadDir, version };
const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
await environment.teardown();
